"""When which half of the sections is due: two crontab expressions, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from domain.section import Stagger

_FIRST_WINDOW = timedelta(hours=1)
_LAST_WINDOW = timedelta(days=8 * 366)  # the rarest expression fires on 29 February


def trigger_of(expression: str) -> CronTrigger:
    """The trigger of a crontab expression. Raises: ValueError when it is not one, or never fires."""
    trigger = CronTrigger.from_crontab(expression, timezone=UTC)
    if trigger.get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("it never fires")
    return trigger


class Timetable:
    """The times of the even and the odd sections."""

    def __init__(self, *, even: str, odd: str) -> None:
        self.triggers = {Stagger.EVEN: trigger_of(even), Stagger.ODD: trigger_of(odd)}

    def slot(self, stagger: Stagger, now: datetime) -> datetime:
        """The latest time, not after `now`, at which `stagger` was due."""
        halves = self.triggers if stagger is Stagger.ALL else [stagger]
        return max(_previous(self.triggers[half], now) for half in halves)

    def slot_before(self, stagger: Stagger, now: datetime, intervals: int) -> datetime:
        """As `slot`, that many slots earlier: `intervals` whole ones have passed since."""
        slot = self.slot(stagger, now)
        for _ in range(intervals):
            slot = self.slot(stagger, slot - timedelta(milliseconds=1))
        return slot

    def next_slot(self, now: datetime) -> datetime:
        """The first time after `now` at which either half is due."""
        after = now + timedelta(microseconds=1)
        found: datetime = min(trigger.get_next_fire_time(None, after) for trigger in self.triggers.values())
        return found

    def current(self, now: datetime) -> Stagger:
        """The half that was due last; all sections when both were due at once."""
        even, odd = self.slot(Stagger.EVEN, now), self.slot(Stagger.ODD, now)
        return Stagger.ALL if even == odd else Stagger.EVEN if even > odd else Stagger.ODD


def _previous(trigger: CronTrigger, now: datetime) -> datetime:
    """The trigger's last time not after `now`: APScheduler only looks ahead, so start ever further back."""
    window = _FIRST_WINDOW
    while (fire := trigger.get_next_fire_time(None, now - window)) is None or fire > now:
        if window > _LAST_WINDOW:
            raise ValueError("the expression did not fire within eight years")
        window *= 2
    while (following := trigger.get_next_fire_time(fire, fire + timedelta(seconds=1))) and following <= now:
        fire = following
    found: datetime = fire
    return found
