"""The geometry of the chart of seats over time, which a template renders as SVG.

A line covers observed times only: elsewhere the seats are unknown, not zero.
Axes: the positions of values, and which of them get a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from domain.history import HistoryEntry, ObservedPeriod, SectionHistory, openings
from domain.text import format_date

_STEPS_MINUTES = (1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 10_080, 20_160, 40_320, 80_640)
_DAY, _YEAR = timedelta(days=1), timedelta(weeks=52)
_MOST_TIMES, _MOST_COUNTS = 7, 5
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday, so that weeks begin with one


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Maps times from `start` to `end` to pixels from `left` to `right`."""

    start: datetime
    end: datetime
    left: float
    right: float

    def __call__(self, moment: datetime) -> float:
        """Return the position of `moment`; the middle if the scale has no length."""
        if self.end <= self.start:
            return (self.left + self.right) / 2
        share = (moment - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> Iterator[Tick]:
        """Return at most seven round times; the only time if there is one."""
        if self.end <= self.start:
            yield Tick(self(self.start), _label(self.start, timedelta(0)))
            return
        step = _time_step((self.end - self.start) / _MOST_TIMES)
        moment = _EPOCH + -((_EPOCH - self.start) // step) * step
        while moment <= self.end:
            if moment >= self.start:
                yield Tick(self(moment), _label(moment, step))
            moment += step


@dataclass(frozen=True, slots=True)
class CountScale:
    """Maps counts from 0 to `most` to pixels from `bottom` up to `top`."""

    most: int
    bottom: float
    top: float

    def __call__(self, count: int) -> float:
        """Return the position of `count`."""
        return self.bottom - (self.bottom - self.top) * count / max(self.most, 1)

    def ticks(self) -> Iterator[Tick]:
        """Return at most six round counts, from 0."""
        step = _round_step(max(self.most, 1) / _MOST_COUNTS)
        for count in range(0, max(self.most, 1) + 1, step):
            yield Tick(self(count), str(count))


def _time_step(least: timedelta) -> timedelta:
    steps = (timedelta(minutes=minutes) for minutes in _STEPS_MINUTES)
    return next((step for step in steps if step >= least), -(-least // _YEAR) * _YEAR)


def _round_step(least: float) -> int:
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10


def _label(moment: datetime, step: timedelta) -> str:
    if step >= _YEAR:
        return format_date(moment)
    date = format_date(moment).rpartition(" ")[0]
    return date if step >= _DAY else f"{date} {moment:%H:%M}"


WIDTH, HEIGHT = 690, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, WIDTH - 6, 14, HEIGHT - 34
_HEADROOM = 1.06
Stretch = tuple[float, float, int]
"""A horizontal line: from x, to x, the count."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of the time axis, in pixels."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, in pixels.

    Shape: `seats`, `area` and `capacity` are SVG path data, empty where there is nothing to draw. `dot` is
    the one point (x, y) of a section with a single observation.
    """

    times: Sequence[Tick]
    counts: Sequence[Tick]
    seats: str
    area: str
    capacity: str
    openings: Sequence[Bar]
    blind: Sequence[Bar]
    dot: tuple[float, float] | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


def chart_of(history: SectionHistory) -> Chart | None:
    """Return the chart of `history`; None without observations."""
    if history.observed is None:
        return None
    x = TimeScale(history.observed.start, history.observed.end, _LEFT, _RIGHT)
    known = [count for seen in history.entries for count in (seen.open_seats, seen.capacity) if count]
    most = max(known, default=1)
    y = CountScale(round(most * _HEADROOM + 0.5), _BOTTOM, _TOP)
    seats = list(_lines(history, x, lambda seen: seen.open_seats))
    return Chart(
        times=list(x.ticks()),
        counts=list(y.ticks()),
        seats="".join(_path(line, y) for line in seats),
        area="".join(_area(line, y) for line in seats),
        capacity="".join(_path(line, y) for line in _lines(history, x, lambda seen: seen.capacity)),
        openings=[_bar(each.span, x, least=1.5) for each in openings(history)],
        blind=[_bar(each, x) for each in history.blind],
        dot=_dot(seats, y),
    )


def _lines(
    history: SectionHistory, x: TimeScale, count_of: Callable[[HistoryEntry], int | None]
) -> Iterator[list[Stretch]]:
    """Return unbroken lines: a line breaks at each gap and where the count is unknown."""
    line: list[Stretch] = []
    for entry, span in history.intervals():
        count = count_of(entry)
        for part, is_broken in _looked_at(span, history.blind):
            if line and (count is None or is_broken):
                yield _thinned(line)
                line = []
            if count is not None:
                line.append((x(part.start), x(part.end), count))
    if line:
        yield _thinned(line)


def _looked_at(
    span: ObservedPeriod, blind: Iterable[ObservedPeriod]
) -> Iterator[tuple[ObservedPeriod, bool]]:
    """Return the observed parts of `span`, each with whether a gap precedes it."""
    start, is_broken = span.start, False
    for each in blind:
        if each.end <= span.start or each.start >= span.end:
            continue
        if each.start > start:
            yield ObservedPeriod(start, each.start), is_broken
        start, is_broken = max(each.end, start), True
    if start < span.end or start == span.start:
        yield ObservedPeriod(start, span.end), is_broken


def _thinned(line: Sequence[Stretch]) -> list[Stretch]:
    """Keep only what is visible of the points on one pixel: the extremes and the last."""
    thin: list[Stretch] = []
    for _, group in groupby(line, key=lambda each: (int(each[0]), int(each[1]))):
        found = list(group)
        low, high = min(found, key=_count), max(found, key=_count)
        thin += sorted({found[0], low, high, found[-1]}, key=found.index)
    return thin


def _count(stretch: Stretch) -> int:
    return stretch[2]


def _path(line: Sequence[Stretch], y: CountScale) -> str:
    (first, _, count), *_ = line
    return f"M{first:.1f} {y(count):.1f}" + "".join(
        f"V{y(count):.1f}H{right:.1f}" for _, right, count in line
    )


def _area(line: Sequence[Stretch], y: CountScale) -> str:
    return f"M{line[0][0]:.1f} {y(0):.1f}{_path(line, y).replace('M', 'L', 1)}V{y(0):.1f}Z"


def _dot(lines: Sequence[Sequence[Stretch]], y: CountScale) -> tuple[float, float] | None:
    match lines:
        case [[(left, right, count)]] if left == right:
            return left, y(count)
        case _:
            return None


def _bar(span: ObservedPeriod, x: Callable[[datetime], float], least: float = 0.0) -> Bar:
    return Bar(x(span.start), max(x(span.end) - x(span.start), least))
