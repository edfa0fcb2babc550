"""Repairs stored times that lie too far in the future because the host's clock was set back.

Such a time would hold work back for as long as the clock ran ahead. Each affected column has a bound here;
times beyond it are stamped again. Times that people choose (a watch paused until a date) and times that order
observations have their own rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, DateTime, Update, func, select, true, update

from domain.check_schedule import LONGEST_ACCRUAL_HOURS
from domain.job import JobState
from domain.money import RefundState
from domain.notification import NotificationState
from domain.retry import LONGEST_NAMED_WAIT
from domain.run import RunState
from store.database import TOLERANCE, Database, to_ms
from store.notifications.batch_selection import BatchState
from store.schema import (
    alert_notifications,
    alerts,
    check_batches,
    check_schedules,
    job_callbacks,
    jobs,
    mail_batches,
    notifications,
    pauses,
    payments,
    runs,
)

_NOW = timedelta(0)
# Of mail, alerts, job webhooks and refunds, also if an upstream requests a longer wait.
_LONGEST_RETRY = LONGEST_NAMED_WAIT
_LONGEST_PLAN = timedelta(hours=LONGEST_ACCRUAL_HOURS)
_OPEN_REFUNDS = (RefundState.PENDING, RefundState.REQUIRES_ACTION)


@dataclass(frozen=True, slots=True)
class Bound:
    """Where `applies`, `column` is at most `longest` in the future."""

    column: Column[int]
    longest: timedelta
    applies: ColumnElement[bool]

    def enforce(self, now: datetime) -> Update:
        """The statement that stamps times beyond the bound again."""
        latest = now + self.longest
        is_beyond = self.column > to_ms(latest + TOLERANCE)
        values = {self.column.name: to_ms(latest)}
        return update(self.column.table).where(self.applies, is_beyond).values(values)


class ClockBounds:
    """Keeps stored times within their bounds; `cooldown` is the minimum time between two mails of a kind."""

    def __init__(self, database: Database, *, cooldown: timedelta) -> None:
        self._database = database
        self._cooldown = cooldown

    def database_now(self) -> datetime | None:
        """The time by the database's clock; None if that is the host's clock (SQLite)."""
        if self._database.is_sqlite:
            return None
        with self._database.read() as connection:
            return connection.execute(
                select(func.clock_timestamp(type_=DateTime(timezone=True)))
            ).scalar_one()

    def enforce(self, now: datetime, *, run_lifetime: timedelta) -> dict[str, int]:
        """Stamp times too far after `now` again; return the number of rows by table.

        A run of a future slot releases it, so that the slot gets its run when it is due. A pause keeps its
        length.
        """
        found: dict[str, int] = {}
        with self._database.write() as connection:
            for name, statement in _statements(now, run_lifetime, self._cooldown):
                count = connection.execute(statement).rowcount
                if count:
                    found[name] = found.get(name, 0) + count
        return found


def _statements(now: datetime, run_lifetime: timedelta, cooldown: timedelta) -> Iterator[tuple[str, Update]]:
    latest_ms = to_ms(now + TOLERANCE)
    is_ahead = runs.c.holds_slot & (runs.c.slot_ms > latest_ms)
    yield runs.name, update(runs).where(is_ahead).values(holds_slot=False)
    until_ms = pauses.c.until_ms - pauses.c.created_at_ms + to_ms(now)
    shifted = {"until_ms": until_ms, "created_at_ms": to_ms(now)}
    yield pauses.name, update(pauses).where(pauses.c.created_at_ms > latest_ms).values(shifted)
    for bound in _bounds(run_lifetime, cooldown):
        yield bound.column.table.name, bound.enforce(now)


def _bounds(run_lifetime: timedelta, cooldown: timedelta) -> Iterator[Bound]:
    is_queued_job = jobs.c.state == JobState.QUEUED
    yield Bound(runs.c.created_at_ms, _NOW, runs.c.state == RunState.QUEUED)
    yield Bound(runs.c.deadline_at_ms, run_lifetime, runs.c.state == RunState.RUNNING)
    yield Bound(runs.c.finished_at_ms, _NOW, true())
    yield Bound(check_batches.c.published_at_ms, _NOW, true())
    yield Bound(check_schedules.c.due_at_ms, _LONGEST_PLAN, true())
    yield Bound(mail_batches.c.due_at_ms, _LONGEST_RETRY, mail_batches.c.state == BatchState.SENDING)
    waits_longest = max(cooldown, _LONGEST_RETRY)
    yield Bound(notifications.c.due_at_ms, waits_longest, notifications.c.state == NotificationState.PENDING)
    yield Bound(alerts.c.pending_since_ms, _NOW, true())
    yield Bound(alert_notifications.c.due_at_ms, _LONGEST_RETRY, alert_notifications.c.sent_at_ms.is_(None))
    yield Bound(jobs.c.published_at_ms, _NOW, is_queued_job)
    yield Bound(jobs.c.cancel_requested_at_ms, _NOW, is_queued_job)
    yield Bound(job_callbacks.c.due_at_ms, _LONGEST_RETRY, true())
    yield Bound(payments.c.refund_due_at_ms, _LONGEST_RETRY, payments.c.refund_state.in_(_OPEN_REFUNDS))
