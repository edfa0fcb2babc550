from __future__ import annotations

import re

from tests.workflows.report.examples import history
from workflows.report.chart import Chart, chart_of


def drawn(*seats: tuple[float, int | None], **changes: object) -> Chart:
    found = chart_of(history(*seats, **changes))  # type: ignore[arg-type]
    assert found is not None
    return found


def levels(path: str) -> list[list[tuple[float, float, float]]]:
    """Each unbroken line's level parts: from x, to x, at y."""
    lines = []
    for line in path.split("M")[1:]:
        x = float(line.split()[0])
        parts = []
        for y, right in re.findall(r"V([\d.]+)H([\d.]+)", line):
            parts.append((x, float(right), float(y)))
            x = float(right)
        lines.append(parts)
    return lines


def test_a_line_steps_from_observation_to_observation_and_ends_with_the_last_observation() -> None:
    chart = drawn((0, 0), (6, 15), (12, 0))
    ((closed, opened, again),) = levels(chart.seats)
    assert (closed[0], again[1]) == (chart.left, chart.right)
    assert closed[2] == again[2] == chart.bottom
    assert chart.top < opened[2] < chart.bottom
    quarter = (chart.right - chart.left) / 4
    assert [round(opened[0] - chart.left, 1), round(opened[1] - opened[0], 1)] == [quarter, quarter]


def test_a_line_stops_where_no_one_looked() -> None:
    chart = drawn((0, 3), (18, 5), blind=((6, 12),))
    before, after = levels(chart.seats)
    (grey,) = chart.blind
    assert before[-1][1] == round(grey.left, 1)
    assert after[0][0] == round(grey.left + grey.width, 1)
    assert after[0][2] == before[-1][2]


def test_seats_that_no_one_notified_of_are_not_drawn() -> None:
    chart = drawn((0, None), (12, 2), capacity=None)
    ((only,),) = levels(chart.seats)
    assert only[0] > chart.left + 100
    assert chart.capacity == ""


def test_the_capacity_is_a_line_of_its_own_inside_the_drawing() -> None:
    chart = drawn((0, 3))
    (((_, _, y),),) = levels(chart.capacity)
    assert chart.top <= y < chart.bottom


def test_each_opening_is_marked_however_short() -> None:
    chart = drawn((0, 0), (1, 1), (1.01, 0), (12, 1), until=2400)
    assert len(chart.openings) == 2
    assert chart.openings[0].width == 1.5


def test_a_single_observation_is_a_dot() -> None:
    chart = drawn((3, 7), until=3)
    assert chart.dot is not None
    assert drawn((3, 7), until=4).dot is None


def test_what_was_never_seen_is_not_drawn() -> None:
    assert chart_of(history()) is None


def test_a_hundred_thousand_changes_make_a_short_path_that_keeps_its_extremes() -> None:
    flapping = [(hour / 100, hour % 2) for hour in range(100_000)]
    chart = drawn(*flapping, (1000.5, 30), (1000.51, 0), until=1001)
    assert len(chart.seats) < 100_000
    ys = {y for line in levels(chart.seats) for _, _, y in line}
    assert len(ys) == 3
