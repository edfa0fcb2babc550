"""The outbox: pending notifications become mail batches, each sent under one key.

A batch is made in one transaction, its letters are frozen in a second, and what the transport said is
written in a third. Whatever stops in between is taken up again under the same key (`claim`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, func, select, update

from domain.errors import TransientError
from domain.notice import Accepted, Letter, Notice, NoticeState, Receipt
from store.database import Database
from store.departures import IS_DUE_BATCH, BatchState, Rules, next_batch
from store.moments import from_ms, to_ms
from store.notices import notice_of
from store.reports import apply_early
from store.schema import mail_batches, notifications, sections, watches

_batch = mail_batches.c
_IS_BATCH = _batch.id == bindparam("batch_id")
_FIND = select(mail_batches).where(_IS_BATCH)
_NOTICES = (
    select(notifications, watches.c.email, sections.c.source, sections.c.term, sections.c.number)
    .select_from(notifications.join(watches).join(sections))
    .where(notifications.c.mail_batch_id == bindparam("batch_id"))
    .order_by(notifications.c.id)
)
_BEGIN = update(mail_batches).where(_IS_BATCH).values(starts=_batch.starts + 1)
_FREEZE = update(mail_batches).where(_IS_BATCH, _batch.letters.is_(None))
_CHANGE = update(mail_batches).where(_IS_BATCH, _batch.state == BatchState.SENDING)
_ATTEMPT = _CHANGE.values(
    attempts=_batch.attempts + 1,
    first_attempt_at_ms=func.coalesce(_batch.first_attempt_at_ms, bindparam("now_ms", type_=BigInteger)),
)
_CLOSE = _CHANGE.values(letters=None, due_at_ms=None)
_SETTLE = update(notifications).where(notifications.c.id == bindparam("notice_id"))
_DUE_BATCH = select(_batch.id).where(IS_DUE_BATCH).limit(1)
_DUE_NOTICE = (
    select(notifications.c.id)
    .where(notifications.c.state == NoticeState.PENDING, notifications.c.due_at_ms <= bindparam("now_ms"))
    .limit(1)
)


class LostBatchError(TransientError):
    """The lease ran out before the batch was handed over, and another sender has its letters now."""


@dataclass(frozen=True, slots=True)
class MailBatch:
    """Letters that leave together under `key`; `letters` is None until they are frozen.

    Shape: `starts` counts the claims since it last ended in any way, this one included: with each more than
    one, a sender died with it, or was held up for longer than its lease.
    """

    id: int
    key: str
    notices: list[Notice]
    letters: list[Letter] | None
    attempts: int
    first_attempt_at: datetime | None
    reason: str | None
    starts: int = 1


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the outbox still holds."""

    pending: int
    oldest_due_at: datetime | None
    dead: int


@dataclass(frozen=True, slots=True)
class Losses:
    """Notifications that will never be sent, and how many people miss them."""

    notifications: int
    people: int


class Outbox:
    """The rows of `mail_batches`, and the states of `notifications` on their way out."""

    def __init__(self, database: Database, *, daily_cap: int = 0) -> None:
        self._database = database
        self._daily_cap = daily_cap

    def claim(self, now: datetime, *, limit: int, lease: timedelta) -> MailBatch | None:
        """A batch to send, for the time of `lease`: an unfinished one that is due, else a new one.

        What must not be sent any more is left out here, with the reason (`store.departures`).
        """
        with self._database.write() as connection:
            batch_id = next_batch(connection, now, Rules(limit, self._daily_cap))
            if batch_id is None:
                return None
            connection.execute(_BEGIN, {"batch_id": batch_id, "due_at_ms": to_ms(now + lease)})
            return _read(connection, batch_id)

    def freeze(self, batch_id: int, letters: Sequence[Letter]) -> None:
        """Keep the letters exactly as they will leave; the first ones kept stay."""
        rows = [_row_of(letter) for letter in letters]
        with self._database.write() as connection:
            connection.execute(_FREEZE, {"batch_id": batch_id, "letters": rows})

    def attempt(self, batch_id: int, now: datetime) -> None:
        """Note that the batch is about to be handed to the transport.

        Raises: LostBatchError when it must not be: its letters went back to the outbox, or were settled.
        """
        with self._database.write() as connection:
            if connection.execute(_ATTEMPT, {"batch_id": batch_id, "now_ms": to_ms(now)}).rowcount == 0:
                raise LostBatchError(f"mail batch {batch_id} was taken over while its sender was held up")

    def settle(self, batch: MailBatch, receipts: Sequence[Receipt], now: datetime) -> None:
        """Write what became of each letter; a batch that is settled already stays as it is."""
        with self._database.write() as connection:
            if not _close(connection, batch.id, BatchState.DONE, None):
                return
            for notice, receipt in zip(batch.notices, receipts, strict=True):
                connection.execute(_SETTLE, {"notice_id": notice.id} | _settled(receipt, to_ms(now)))
            apply_early(connection, [each.provider_id for each in receipts if isinstance(each, Accepted)])

    def postpone(self, batch_id: int, due_at: datetime, reason: str | None = None) -> None:
        """Try the batch again at `due_at`, under the same key; its sender has come to an end with it."""
        values = {"due_at_ms": to_ms(due_at), "reason": reason, "starts": 0}
        with self._database.write() as connection:
            connection.execute(_CHANGE, {"batch_id": batch_id} | values)

    def hold(self, batch: MailBatch, due_at: datetime, reason: str) -> None:
        """As `postpone`, where the transport took nothing: what was noted of this attempt is taken back.

        So a batch that was never handed over dissolves, and its letters can still be called off.
        """
        first = batch.first_attempt_at
        values: dict[str, Any] = {"attempts": batch.attempts, "due_at_ms": to_ms(due_at), "reason": reason}
        values |= {"first_attempt_at_ms": None if first is None else to_ms(first), "starts": 0}
        with self._database.write() as connection:
            connection.execute(_CHANGE, {"batch_id": batch.id} | values)

    def bury(self, batch: MailBatch, state: BatchState, reason: str, now: datetime) -> None:
        """Give the whole batch up: its notifications are dead, for `reason`."""
        with self._database.write() as connection:
            if not _close(connection, batch.id, state, reason):
                return
            values = {"state": NoticeState.DEAD, "reason": reason, "settled_at_ms": to_ms(now)}
            of_batch = notifications.c.mail_batch_id == batch.id
            connection.execute(update(notifications).where(of_batch).values(values))

    def drop(self, notice_id: int, reason: str, now: datetime) -> None:
        """Take one notification out of its batch: it can never be sent, for `reason`."""
        this = (notifications.c.id == notice_id) & (notifications.c.state == NoticeState.SENDING)
        values = {
            "state": NoticeState.DEAD,
            "reason": reason,
            "settled_at_ms": to_ms(now),
            "mail_batch_id": None,
        }
        with self._database.write() as connection:
            connection.execute(update(notifications).where(this).values(values))

    def is_due(self, now: datetime) -> bool:
        """Whether there is anything to send."""
        at = {"now_ms": to_ms(now)}
        with self._database.read() as connection:
            return any(connection.execute(query, at).first() for query in (_DUE_BATCH, _DUE_NOTICE))

    def backlog(self) -> Backlog:
        """How much waits, since when, and how much is dead."""
        columns = notifications.c
        waits = columns.state.in_([NoticeState.PENDING, NoticeState.SENDING])
        waiting = select(func.count(), func.min(columns.due_at_ms)).where(waits)
        dead = select(func.count()).where(columns.state == NoticeState.DEAD)
        with self._database.read() as connection:
            pending, oldest = connection.execute(waiting).one()
            count = connection.execute(dead).scalar_one()
        return Backlog(pending, None if oldest is None else from_ms(oldest), count)

    def losses(self, since: datetime) -> Losses:
        """What was given up after `since`."""
        columns = notifications.c
        query = (
            select(func.count(), func.count(watches.c.email.distinct()))
            .select_from(notifications.join(watches))
            .where(columns.state == NoticeState.DEAD, columns.settled_at_ms > to_ms(since))
        )
        with self._database.read() as connection:
            return Losses(*connection.execute(query).one())

    def counts(self) -> dict[str, int]:
        """How many notifications are in each state."""
        columns = notifications.c
        query = select(columns.state, func.count()).group_by(columns.state)
        with self._database.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {state.value: found.get(state, 0) for state in NoticeState}


def _read(connection: Connection, batch_id: int) -> MailBatch:
    row = connection.execute(_FIND, {"batch_id": batch_id}).mappings().one()
    found = connection.execute(_NOTICES, {"batch_id": batch_id}).mappings()
    notices = [notice_of(notice) for notice in found]
    letters = None if row["letters"] is None else [Letter(**letter) for letter in row["letters"]]
    first = row["first_attempt_at_ms"]
    started = None if first is None else from_ms(first)
    return MailBatch(
        row["id"], row["key"], notices, letters, row["attempts"], started, row["reason"], row["starts"]
    )


def _close(connection: Connection, batch_id: int, state: BatchState, reason: str | None) -> bool:
    values = {"state": state, "reason": reason}
    return connection.execute(_CLOSE, {"batch_id": batch_id} | values).rowcount > 0


def _settled(receipt: Receipt, at_ms: int) -> dict[str, Any]:
    if isinstance(receipt, Accepted):
        return {"state": NoticeState.SENT, "sent_at_ms": at_ms, "provider_id": receipt.provider_id}
    return {"state": NoticeState.DEAD, "reason": receipt.reason, "settled_at_ms": at_ms}


def _row_of(letter: Letter) -> dict[str, Any]:
    """What is kept of `letter`; those of the outbox carry no attachments."""
    return {name: value for name, value in asdict(letter).items() if value != ()}
