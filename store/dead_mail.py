"""Dead notifications: select by cause and age, and requeue."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, func, select, update

from domain.notification import NotificationState
from domain.notification_policy import SAME_INSTRUCTOR
from domain.retry import LONGEST_NAMED_WAIT
from domain.watch import NotificationKind
from store import audit
from store.audit import AuditEntry
from store.database import Database, to_ms
from store.schema import notifications

_UNKNOWN = "unknown whether"  # in the reason of messages that may have been sent
_REVIVED: dict[str, Any] = {
    "state": NotificationState.PENDING,
    "reason": None,
    "mail_batch_id": None,
    "provider_id": None,
    "sent_at_ms": None,
    "completed_at_ms": None,
    "starts": 0,
    "deferrals": 0,
}


@dataclass(frozen=True, slots=True)
class DeadMail:
    """Selects dead notifications that match all given criteria.

    Shape: `cause` is a case-insensitive substring of the reason; `older_than` is the time since death.
    Notifications that may have been sent match only with `includes_unknown`: a retry may send them twice.
    """

    cause: str | None = None
    older_than: timedelta | None = None
    notification_ids: tuple[int, ...] = ()
    includes_unknown: bool = False

    @property
    def criteria(self) -> dict[str, Any]:
        """The given criteria as JSON-compatible values."""
        criteria = {name: value for name, value in asdict(self).items() if value}
        if self.older_than is not None:
            criteria["older_than_seconds"] = criteria.pop("older_than", timedelta()).total_seconds()
        return criteria


class DeadMails:
    """The dead rows of `notifications`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, wanted: DeadMail, now: datetime) -> int:
        """How many match `wanted`."""
        with self._database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(notifications).where(_is_meant(wanted, now))
            ).scalar_one()

    def retry(
        self,
        wanted: DeadMail,
        now: datetime,
        entry: AuditEntry,
        *,
        per_second: float | None = None,
        limit: int | None = None,
    ) -> int:
        """Requeue them, oldest first, with an audit record; return their number.

        With `per_second` they become due one after another, and as many are meant as do so within an hour: a
        due time further ahead counts as one of a clock that was set back (`store.clock_bounds`).
        """
        if per_second:
            most = int(LONGEST_NAMED_WAIT.total_seconds() * per_second) + 1
            limit = most if limit is None else min(limit, most)
        with self._database.write() as connection:
            _withdraw_repeated(connection, wanted, now)
            ids = _locked(connection, wanted, now, limit)
            for place, notification_id in enumerate(ids):
                due_at = now + timedelta(seconds=place / per_second if per_second else 0)
                values = _REVIVED | {"due_at_ms": to_ms(due_at)}
                this = notifications.c.id == notification_id
                connection.execute(update(notifications).where(this).values(values))
            audit.write(connection, entry if ids else None, count=len(ids))
        return len(ids)


def _locked(connection: Connection, wanted: DeadMail, now: datetime, limit: int | None) -> list[int]:
    columns = notifications.c
    query = select(columns.id).where(_is_meant(wanted, now)).order_by(columns.completed_at_ms, columns.id)
    return list(connection.execute(query.limit(limit).with_for_update()).scalars())


def _withdraw_repeated(connection: Connection, wanted: DeadMail, now: datetime) -> None:
    """Withdraw an instructor that a later notification of the watch names or is about to name."""
    this, later = notifications.c, notifications.alias()
    is_alive = later.c.state.not_in([NotificationState.SUPPRESSED, NotificationState.DEAD])
    is_named = select(later.c.id).where(
        later.c.watch_id == this.watch_id,
        later.c.kind == this.kind,
        later.c.episode > this.episode,
        later.c.facts["instructor"].as_string() == this.facts["instructor"].as_string(),
        is_alive | _is_meant(wanted, now, later),
    )
    is_repeated = (this.kind == NotificationKind.INSTRUCTOR_ASSIGNED) & is_named.exists()
    withdrawn = {
        "state": NotificationState.SUPPRESSED,
        "reason": SAME_INSTRUCTOR,
        "completed_at_ms": to_ms(now),
    }
    connection.execute(update(notifications).where(_is_meant(wanted, now), is_repeated).values(withdrawn))


def _is_meant(wanted: DeadMail, now: datetime, these: FromClause = notifications) -> ColumnElement[bool]:
    columns = these.c
    reason = func.coalesce(columns.reason, "")
    found = columns.state == NotificationState.DEAD
    if wanted.cause is not None:
        found &= reason.icontains(wanted.cause, autoescape=True)
    if wanted.older_than is not None:
        found &= columns.completed_at_ms <= to_ms(now - wanted.older_than)
    if wanted.notification_ids:
        found &= columns.id.in_(wanted.notification_ids)
    if not wanted.includes_unknown:
        found &= ~reason.contains(_UNKNOWN, autoescape=True)
    return found
