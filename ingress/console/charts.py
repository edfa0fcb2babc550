"""The geometry of the console's charts, in pixels: checks per hour, and a section's open seats over time.

Templates draw it as SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.history import HistoryEntry
from store.statistics import Hour

_STEP, _WIDTH = 10.0, 7.0
_CHECKS_HEIGHT, _GAP, _OPENINGS_HEIGHT = 100.0, 14.0, 36.0
_TICK_HOURS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; y grows downwards."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class HourColumn:
    """One hour: checks, failures stacked on them, and openings below."""

    hour: Hour
    hover: Box
    checked: Box
    failed: Box
    openings: Box


@dataclass(frozen=True, slots=True)
class HoursChart:
    """One column per hour, both scales and their baselines; `ticks` are the labelled hours."""

    width: float
    height: float
    columns: tuple[HourColumn, ...]
    baselines: tuple[float, float]
    most_checks: int
    most_openings: int
    ticks: tuple[Hour, ...]


def hours_chart(hours: Sequence[Hour]) -> HoursChart:
    """Return the chart of `hours`, oldest on the left; each scale ends at its own maximum."""
    most_checks = max((hour.checks + hour.failed for hour in hours), default=0)
    most_openings = max((hour.openings for hour in hours), default=0)
    height = _CHECKS_HEIGHT + _GAP + _OPENINGS_HEIGHT
    return HoursChart(
        width=_STEP * len(hours),
        height=height,
        columns=tuple(_column(place, hour, most_checks, most_openings) for place, hour in enumerate(hours)),
        baselines=(_CHECKS_HEIGHT, height),
        most_checks=most_checks,
        most_openings=most_openings,
        ticks=tuple(hours[::_TICK_HOURS]),
    )


def _column(place: int, hour: Hour, most_checks: int, most_openings: int) -> HourColumn:
    left, floor = place * _STEP, _CHECKS_HEIGHT + _GAP + _OPENINGS_HEIGHT
    checked = _bar(left, _CHECKS_HEIGHT, _CHECKS_HEIGHT, hour.checks, most_checks)
    return HourColumn(
        hour=hour,
        hover=Box(left, 0, _STEP, floor),
        checked=checked,
        failed=_bar(left, checked.y, _CHECKS_HEIGHT, hour.failed, most_checks),
        openings=_bar(left, floor, _OPENINGS_HEIGHT, hour.openings, most_openings),
    )


def _bar(left: float, floor: float, room: float, count: int, most: int) -> Box:
    height = round(room * count / most, 2) if most else 0.0
    return Box(left + (_STEP - _WIDTH) / 2, round(floor - height, 2), _WIDTH, height)


WIDTH, HEIGHT = 600.0, 110.0


@dataclass(frozen=True, slots=True)
class SeatsChart:
    """A step line, broken where the seats were unknown; y grows downwards."""

    path: str
    most: int
    since: datetime


def seats_chart(history: Sequence[HistoryEntry], now: datetime) -> SeatsChart | None:
    """Return the chart of `history`, newest first; None without a line to draw."""
    counts = [seen.open_seats for seen in history if seen.open_seats is not None]
    if not counts:
        return None
    since, most = history[-1].observed_at, max(counts)
    span_seconds = max((now - since).total_seconds(), 1.0)
    ends = [now, *(seen.observed_at for seen in history[:-1])]
    path, is_drawing = "", False
    for seen, end in zip(reversed(history), reversed(ends), strict=True):
        if seen.open_seats is None:
            is_drawing = False
            continue
        y = round(HEIGHT - HEIGHT * seen.open_seats / max(most, 1), 1)
        path += f"V{y}" if is_drawing else f"M{_x(seen.observed_at, since, span_seconds)} {y}"
        path += f"H{_x(end, since, span_seconds)}"
        is_drawing = True
    return SeatsChart(path, most, since)


def _x(at: datetime, since: datetime, span_seconds: float) -> float:
    return round(WIDTH * (at - since).total_seconds() / span_seconds, 1)
