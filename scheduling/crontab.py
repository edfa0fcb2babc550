"""Crontab expressions as Debian's cron interprets them, in UTC. Every cron setting is parsed here.

Five fields; 0 and 7 are Sunday; names, ranges and steps. Where day of month and day of week are both
restricted, either suffices. APScheduler's own parser counts weekdays from Monday and requires both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from cronsim import CronSim, CronSimError

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
