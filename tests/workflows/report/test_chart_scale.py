from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workflows.report.chart import CountScale, TimeScale

START = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def labels(length: timedelta) -> list[str]:
    return [tick.label for tick in TimeScale(START, START + length, 0, 100).ticks()]


def test_a_time_lies_in_proportion() -> None:
    scale = TimeScale(START, START + timedelta(hours=4), 10, 110)
    assert [scale(START), scale(START + timedelta(hours=1)), scale(scale.end)] == [10, 35, 110]


def test_one_moment_lies_in_the_middle_and_is_labelled() -> None:
    scale = TimeScale(START, START, 10, 110)
    assert [(tick.at, tick.label) for tick in scale.ticks()] == [(60, "15 Jan 09:30")]


def test_hours_are_reported_only_where_days_would_not_do() -> None:
    assert labels(timedelta(hours=6)) == [f"15 Jan {hour}:00" for hour in range(10, 16)]
    assert labels(timedelta(days=6))[:2] == ["16 Jan", "17 Jan"]
    assert labels(timedelta(days=40))[:2] == ["19 Jan", "26 Jan"]


@pytest.mark.parametrize("days", [0.01, 0.3, 1, 2, 9, 30, 82, 400, 4000])
def test_no_axis_is_crowded(days: float) -> None:
    assert 1 <= len(labels(timedelta(days=days))) <= 8


@pytest.mark.parametrize(
    ("most", "counts"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (7, ["0", "2", "4", "6"]),
        (32, ["0", "10", "20", "30"]),
        (300, ["0", "100", "200", "300"]),
    ],
)
def test_counts_are_round(most: int, counts: list[str]) -> None:
    assert [tick.label for tick in CountScale(most, 100, 0).ticks()] == counts
