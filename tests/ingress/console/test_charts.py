from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingress.console.charts import hours_chart
from store.statistics import Hour

START = datetime(2026, 1, 15, tzinfo=UTC)
counts = st.integers(0, 100_000)


def _hours(*values: tuple[int, int, int]) -> list[Hour]:
    return [Hour(START + timedelta(hours=n), *value) for n, value in enumerate(values)]


def test_the_highest_hour_fills_its_scale_and_what_failed_stands_on_what_was_checked() -> None:
    busy, quiet = hours_chart(_hours((75, 25, 4), (30, 0, 1))).columns
    assert (busy.failed.y, busy.checked.y + busy.checked.height) == (0, 100)
    assert busy.failed.height + busy.checked.height == 100
    assert quiet.checked.height == 30
    assert (busy.openings.height, quiet.openings.height) == (36, 9)


def test_an_empty_day_is_flat() -> None:
    chart = hours_chart(_hours((0, 0, 0), (0, 0, 0)))
    assert {box.height for column in chart.columns for box in (column.checked, column.openings)} == {0}


@given(st.lists(st.tuples(counts, counts, counts), max_size=48))
def test_nothing_leaves_the_picture(values: list[tuple[int, int, int]]) -> None:
    chart = hours_chart(_hours(*values))
    for column in chart.columns:
        for box in (column.checked, column.failed, column.openings, column.hover):
            assert 0 <= box.x <= box.x + box.width <= chart.width
            assert -0.01 <= box.y <= box.y + box.height <= chart.height + 0.01
