"""The times of scheduled work: crontab expressions in UTC, and the two that halve the sections.

Expressions have the meaning that Debian's cron gives them: five fields; 0 and 7 are Sunday; names, ranges and
steps. Where day of month and day of week are both restricted, either suffices. APScheduler's own parser
counts weekdays from Monday and requires both. Every cron setting is parsed here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from cronsim import CronSim, CronSimError

from domain.section import Stagger

_FIELDS = 5
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


class CrontabTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Fires at the times of `expression`. Raises: ValueError when it is invalid or never fires."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        if len(expression.split()) != _FIELDS:
            raise ValueError(f"it has {len(expression.split())} fields")
        try:
            next(CronSim(expression, _ANY_TIME))
        except CronSimError as error:
            raise ValueError(str(error).lower()) from error
        except StopIteration as error:
            raise ValueError("it never fires") from error

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first time after `previous_fire_time`, or from `now` on without one.

        A previous time after `now` comes from a clock that was set back, and is ignored.
        """
        if previous_fire_time is None or previous_fire_time > now:
            return self.next(now - _INSTANT)
        return self.next(previous_fire_time)

    def next(self, after: datetime) -> datetime:
        """Return the first time after `after`."""
        return next(CronSim(self.expression, after.astimezone(UTC)))

    def latest(self, now: datetime) -> datetime:
        """Return the last time not after `now`."""
        return next(CronSim(self.expression, now.astimezone(UTC) + _INSTANT, reverse=True))


class Timetable:
    """The times of the even and the odd sections."""

    def __init__(self, *, even: str, odd: str) -> None:
        self.triggers = {Stagger.EVEN: CrontabTrigger(even), Stagger.ODD: CrontabTrigger(odd)}

    def slot(self, stagger: Stagger, now: datetime) -> datetime:
        """Return the latest time, not after `now`, at which `stagger` was due."""
        halves = self.triggers if stagger is Stagger.ALL else [stagger]
        return max(self.triggers[half].latest(now) for half in halves)

    def slot_before(self, stagger: Stagger, now: datetime, intervals: int) -> datetime:
        """As `slot`, that many slots earlier: `intervals` whole ones have passed since."""
        slot = self.slot(stagger, now)
        for _ in range(intervals):
            slot = self.slot(stagger, slot - timedelta(milliseconds=1))
        return slot

    def next_slot(self, now: datetime) -> datetime:
        """Return the first time after `now` at which either half is due."""
        return min(trigger.next(now) for trigger in self.triggers.values())

    def current(self, now: datetime) -> Stagger:
        """Return the half that was due last; all sections when both were due at once."""
        even, odd = self.slot(Stagger.EVEN, now), self.slot(Stagger.ODD, now)
        return Stagger.ALL if even == odd else Stagger.EVEN if even > odd else Stagger.ODD
