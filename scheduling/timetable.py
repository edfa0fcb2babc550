"""When each half of the sections is due: two crontab expressions, in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.section import Stagger
from scheduling.crontab import CrontabTrigger


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
