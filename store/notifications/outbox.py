"""The outbox: pending notifications become mail batches, each sent under one idempotency key.

Four transactions: the batch is made, its messages are frozen, the hand-over is recorded, and the transport's
result is written. A claim is a lease with a fence: every later write names the fence, and a sender that has
lost its claim changes nothing (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Update, bindparam, func, select, update

from domain.errors import TransientError
from domain.notification import (
    Accepted,
    Deferred,
    DeliveryResult,
    Notification,
    NotificationState,
    OutboundMessage,
    Rejected,
)
from domain.retry import bounded_wait
from store.database import Database, from_ms, to_ms
from store.notifications.batch_selection import IS_DUE_BATCH, BatchLimits, BatchState, next_batch
from store.notifications.create import notification_of
from store.notifications.deferrals import defer
from store.notifications.deliveries import apply_early
from store.schema import mail_batches, notifications, sections, watches

_batch = mail_batches.c
_IS_BATCH = _batch.id == bindparam("batch_id")
_FIND = select(mail_batches).where(_IS_BATCH)
_NOTIFICATIONS = (
    select(notifications, watches.c.email, sections.c.source, sections.c.term, sections.c.number)
    .select_from(notifications.join(watches).join(sections))
    .where(notifications.c.mail_batch_id == bindparam("batch_id"))
    .order_by(notifications.c.id)
)
_BEGIN = update(mail_batches).where(_IS_BATCH).values(starts=_batch.starts + 1, fence=_batch.fence + 1)
_IS_HELD = (_batch.state == BatchState.SENDING) & (_batch.fence == bindparam("held_fence"))
_LOCK_CLAIM = select(_batch.id).where(_IS_BATCH, _IS_HELD).with_for_update()
_CHANGE = update(mail_batches).where(_IS_BATCH, _IS_HELD)
_FREEZE = _CHANGE.where(_batch.attempts == 0)
_HAND_OVER = _CHANGE.where(_batch.due_at_ms > bindparam("now_ms")).values(
    first_attempt_at_ms=func.coalesce(_batch.first_attempt_at_ms, bindparam("now_ms", type_=BigInteger)),
)
_ENDED = {"messages": None, "due_at_ms": None}
_CLOSE = _CHANGE.values(_ENDED)
# An acceptance is final: it also completes a batch that another sender has claimed since.
_ACCEPT = (
    update(mail_batches)
    .where(_IS_BATCH, _batch.state.in_([BatchState.SENDING, BatchState.UNKNOWN]))
    .values(_ENDED)
)
_COMPLETE = update(notifications).where(
    notifications.c.id == bindparam("notification_id"), notifications.c.mail_batch_id == bindparam("of_batch")
)
_DUE_BATCH = select(_batch.id).where(IS_DUE_BATCH).limit(1)
_DUE_NOTIFICATION = (
    select(notifications.c.id)
    .where(
        notifications.c.state == NotificationState.PENDING, notifications.c.due_at_ms <= bindparam("now_ms")
    )
    .limit(1)
)


class LostBatchError(TransientError):
    """The claim on the batch has expired: another sender has claimed it, or it is complete."""


@dataclass(frozen=True, slots=True)
class MailBatch:
    """Messages sent together under `key`; `messages` is None until they are frozen.

    Shape: `fence` increases with each claim; only the newest claim may write. `starts` counts the claims
    since the last recorded outcome, this one included: each beyond the first means that a sender died, or was
    paused for longer than its lease.
    """

    id: int
    key: str
    notifications: list[Notification]
    messages: list[OutboundMessage] | None
    attempts: int
    first_attempt_at: datetime | None
    reason: str | None
    fence: int
    starts: int = 1


@dataclass(frozen=True, slots=True)
class Backlog:
    """The size and age of the outbox."""

    pending: int
    oldest_due_at: datetime | None
    dead: int


@dataclass(frozen=True, slots=True)
class Losses:
    """Notifications that will never be sent, and the number of people affected."""

    notifications: int
    people: int


class Outbox:
    """The rows of `mail_batches`, and the states of unsent `notifications`."""

    def __init__(self, database: Database, *, daily_cap: int = 0) -> None:
        self._database = database
        self._daily_cap = daily_cap

    def claim(
        self, now: datetime, *, limit: int, lease: timedelta, is_probe: bool = False
    ) -> MailBatch | None:
        """Claim a batch for `lease`: an unfinished one that is due, else a new one; None if nothing is due.

        Withdraws what must not be sent any more, with the reason (`store.notifications.batch_selection`). A
        probe prefers messages that have not failed yet.
        """
        with self._database.write() as connection:
            batch_id = next_batch(connection, now, BatchLimits(limit, self._daily_cap, is_probe))
            if batch_id is None:
                return None
            connection.execute(_BEGIN, {"batch_id": batch_id, "due_at_ms": to_ms(now + lease)})
            return _read(connection, batch_id)

    def freeze(self, batch: MailBatch, messages: Sequence[OutboundMessage]) -> None:
        """Store the messages exactly as they will be sent. Raises: LostBatchError, also after a hand-over."""
        rows = [_row_of(message) for message in messages]
        with self._database.write() as connection:
            _change(connection, _FREEZE, batch, {"messages": rows})

    def hand_over(self, batch: MailBatch, now: datetime, *, lease: timedelta) -> None:
        """Record that the messages are being sent, and renew the claim for as long as this may take.

        Idempotent. Raises: LostBatchError if the claim has expired; the messages must not be sent then.
        """
        values = {"now_ms": to_ms(now), "attempts": batch.attempts + 1, "due_at_ms": to_ms(now + lease)}
        with self._database.write() as connection:
            _change(connection, _HAND_OVER, batch, values)

    def renew(self, batch: MailBatch, now: datetime, *, lease: timedelta) -> bool:
        """Extend the claim of a working sender; False if another sender has it, or the batch is complete."""
        with self._database.write() as connection:
            return _execute(connection, _CHANGE, batch, {"due_at_ms": to_ms(now + lease)})

    def complete(self, batch: MailBatch, receipts: Sequence[DeliveryResult], now: datetime) -> None:
        """Record the result of each message. Idempotent: a complete batch is unchanged.

        An acceptance is recorded even after the claim has expired. Raises: LostBatchError for refusals then.
        """
        accepted = [each.provider_id for each in receipts if isinstance(each, Accepted)]
        with self._database.write() as connection:
            values = {"state": BatchState.DONE, "reason": None}
            if not _execute(connection, _ACCEPT if accepted else _CLOSE, batch, values):
                _require_complete(connection, batch)
                return
            for notification, receipt in zip(batch.notifications, receipts, strict=True):
                if isinstance(receipt, Deferred):
                    wait = bounded_wait(receipt.retry_after_seconds)
                    defer(connection, _is_in(batch, notification.id), receipt.reason, now, wait)
                    continue
                message = {"notification_id": notification.id, "of_batch": batch.id}
                connection.execute(_COMPLETE, message | _completed(receipt, to_ms(now)))
            apply_early(connection, accepted)

    def postpone(self, batch: MailBatch, due_at: datetime, reason: str | None = None) -> None:
        """Reschedule the batch to `due_at`, with the same messages and key. Raises: LostBatchError."""
        values = {"due_at_ms": to_ms(due_at), "reason": reason, "starts": 0}
        with self._database.write() as connection:
            _change(connection, _CHANGE, batch, values)

    def postpone_unsent(self, batch: MailBatch, due_at: datetime, reason: str) -> None:
        """As `postpone`, if the transport accepted nothing: reverts the recorded hand-over.

        A batch that was never handed over dissolves at `due_at`, and its messages are decided again.
        """
        first = batch.first_attempt_at
        values: dict[str, Any] = {"attempts": batch.attempts, "due_at_ms": to_ms(due_at), "reason": reason}
        values |= {"first_attempt_at_ms": None if first is None else to_ms(first), "starts": 0}
        with self._database.write() as connection:
            _change(connection, _CHANGE, batch, values)

    def split(self, batch: MailBatch, reason: str) -> None:
        """Requeue the messages, none of which was accepted: each is sent alone, under its own key.

        Raises: LostBatchError.
        """
        of_batch = notifications.c.mail_batch_id == batch.id
        values = {
            "state": NotificationState.PENDING,
            "reason": reason,
            "mail_batch_id": None,
            "deferrals": notifications.c.deferrals + 1,
        }
        with self._database.write() as connection:
            if not _execute(connection, _CLOSE, batch, {"state": BatchState.REFUSED, "reason": reason}):
                _require_complete(connection, batch)
                return
            connection.execute(update(notifications).where(of_batch).values(values))

    def mark_dead(self, batch: MailBatch, state: BatchState, reason: str, now: datetime) -> None:
        """End the whole batch: its notifications are dead because of `reason`. Raises: LostBatchError."""
        with self._database.write() as connection:
            if not _execute(connection, _CLOSE, batch, {"state": state, "reason": reason}):
                _require_complete(connection, batch)
                return
            of_batch = notifications.c.mail_batch_id == batch.id
            connection.execute(update(notifications).where(of_batch).values(_dead(reason, now)))

    def remove(self, batch: MailBatch, notification_id: int, reason: str, now: datetime) -> None:
        """Remove a notification that can never be sent from its batch. Raises: LostBatchError."""
        is_this = _is_in(batch, notification_id)
        values = _dead(reason, now) | {"mail_batch_id": None}
        with self._database.write() as connection:
            if connection.execute(_LOCK_CLAIM, _claim_of(batch)).first() is None:
                raise _lost(batch)
            connection.execute(update(notifications).where(is_this).values(values))

    def is_due(self, now: datetime) -> bool:
        """Whether anything is due."""
        at = {"now_ms": to_ms(now)}
        with self._database.read() as connection:
            return any(connection.execute(query, at).first() for query in (_DUE_BATCH, _DUE_NOTIFICATION))

    def backlog(self) -> Backlog:
        """How many wait, since when, and how many are dead."""
        columns = notifications.c
        waits = columns.state.in_([NotificationState.PENDING, NotificationState.SENDING])
        waiting = select(func.count(), func.min(columns.due_at_ms)).where(waits)
        dead = select(func.count()).where(columns.state == NotificationState.DEAD)
        with self._database.read() as connection:
            pending, oldest = connection.execute(waiting).one()
            count = connection.execute(dead).scalar_one()
        return Backlog(pending, None if oldest is None else from_ms(oldest), count)

    def losses(self, since: datetime) -> Losses:
        """What died after `since`, also at a provider that had accepted it."""
        columns = notifications.c
        is_lost = (columns.state == NotificationState.DEAD) | (
            (columns.state == NotificationState.SUPPRESSED) & columns.provider_id.is_not(None)
        )
        query = (
            select(func.count(), func.count(watches.c.email.distinct()))
            .select_from(notifications.join(watches))
            .where(is_lost, columns.completed_at_ms > to_ms(since))
        )
        with self._database.read() as connection:
            return Losses(*connection.execute(query).one())

    def counts(self) -> dict[str, int]:
        """How many notifications are in each state."""
        columns = notifications.c
        query = select(columns.state, func.count()).group_by(columns.state)
        with self._database.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {state.value: found.get(state, 0) for state in NotificationState}


def _read(connection: Connection, batch_id: int) -> MailBatch:
    row = connection.execute(_FIND, {"batch_id": batch_id}).mappings().one()
    found = connection.execute(_NOTIFICATIONS, {"batch_id": batch_id}).mappings()
    claimed = [notification_of(notification) for notification in found]
    messages = (
        None if row["messages"] is None else [OutboundMessage(**message) for message in row["messages"]]
    )
    first = row["first_attempt_at_ms"]
    started = None if first is None else from_ms(first)
    return MailBatch(
        id=row["id"],
        key=row["key"],
        notifications=claimed,
        messages=messages,
        attempts=row["attempts"],
        first_attempt_at=started,
        reason=row["reason"],
        fence=row["fence"],
        starts=row["starts"],
    )


def _claim_of(batch: MailBatch) -> dict[str, Any]:
    return {"batch_id": batch.id, "held_fence": batch.fence}


def _execute(connection: Connection, change: Update, batch: MailBatch, values: dict[str, Any]) -> bool:
    """Whether `change` found the batch in the expected state."""
    claim = _claim_of(batch) if change is not _ACCEPT else {"batch_id": batch.id}
    return connection.execute(change, claim | values).rowcount > 0


def _change(connection: Connection, change: Update, batch: MailBatch, values: dict[str, Any]) -> None:
    if not _execute(connection, change, batch, values):
        raise _lost(batch)


def _is_in(batch: MailBatch, notification_id: int) -> ColumnElement[bool]:
    return (notifications.c.id == notification_id) & (notifications.c.mail_batch_id == batch.id)


def _require_complete(connection: Connection, batch: MailBatch) -> None:
    """Raises: LostBatchError while another sender has the batch."""
    row = connection.execute(_FIND, {"batch_id": batch.id}).mappings().first()
    if row is None or row["state"] == BatchState.SENDING:
        raise _lost(batch)


def _lost(batch: MailBatch) -> LostBatchError:
    return LostBatchError(f"the claim on mail batch {batch.id} has run out (fence {batch.fence})")


def _completed(receipt: Accepted | Rejected, at_ms: int) -> dict[str, Any]:
    if isinstance(receipt, Accepted):
        sent = {"state": NotificationState.SENT, "sent_at_ms": at_ms, "provider_id": receipt.provider_id}
        return sent | {"reason": None, "completed_at_ms": None}
    return {"state": NotificationState.DEAD, "reason": receipt.reason, "completed_at_ms": at_ms}


def _dead(reason: str, now: datetime) -> dict[str, Any]:
    return {"state": NotificationState.DEAD, "reason": reason, "completed_at_ms": to_ms(now)}


def _row_of(message: OutboundMessage) -> dict[str, Any]:
    """The stored form of a message; those of the outbox have no attachments."""
    return {name: value for name, value in asdict(message).items() if value != ()}
