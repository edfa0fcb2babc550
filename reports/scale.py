"""Where values lie on an axis, and which of them get a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.text import format_date

_STEPS_MINUTES = (1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 10_080, 20_160, 40_320, 80_640)
_DAY, _YEAR = timedelta(days=1), timedelta(weeks=52)
_MOST_TIMES, _MOST_COUNTS = 7, 5
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday, so that weeks begin with one


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Times from `start` to `end` on the pixels from `left` to `right`."""

    start: datetime
    end: datetime
    left: float
    right: float

    def __call__(self, moment: datetime) -> float:
        """The place of `moment`; the middle where the scale has no length."""
        if self.end <= self.start:
            return (self.left + self.right) / 2
        share = (moment - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> Iterator[Tick]:
        """Round times, seven at most; the one moment where there is no more."""
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
    """Counts from 0 to `most` on the pixels from `bottom` up to `top`."""

    most: int
    bottom: float
    top: float

    def __call__(self, count: int) -> float:
        """The place of `count`."""
        return self.bottom - (self.bottom - self.top) * count / max(self.most, 1)

    def ticks(self) -> Iterator[Tick]:
        """Round counts from 0, six at most."""
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
