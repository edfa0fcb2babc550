"""The state of each payment's refund, by the provider's latest statement."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, func, or_, select, true, update

from domain.money import LOST_REFUND, Payment, Refund, RefundState
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms_or_none, to_ms
from store.schema import payments

_columns = payments.c
_OPEN = (RefundState.PENDING, RefundState.REQUIRES_ACTION)
_LOST = tuple(sorted(LOST_REFUND))
_IS_LOST = _columns.refund_state.in_(_LOST)
_AGAIN = timedelta(hours=1)
_FIRST_AGAIN, _SETTLED_AFTER = timedelta(days=1), timedelta(days=32)


class Refunds:
    """The refund columns of `payments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, session_id: str, refund: Refund, now: datetime, *, is_current: bool = False) -> None:
        """Record the refund of a payment as the provider describes it.

        A refund that `is_current` replaces any other: the provider was asked which one applies.
        """
        with self._database.write() as connection:
            apply(connection, _columns.session_id == session_id, refund, now, is_current=is_current)

    def use_next_key(self, session_id: str) -> None:
        """Mark the refund's key as used up by a failure; the next refund uses another key."""
        spent = {"refund_keys_used": _columns.refund_keys_used + 1}
        with self._database.write() as connection:
            connection.execute(update(payments).where(_columns.session_id == session_id).values(spent))

    def claim_due(self, now: datetime, limit: int) -> list[Payment]:
        """Up to `limit` payments with a refund due for a query; their next query is in an hour or later."""
        due = select(payments).where(_columns.refund_due_at_ms <= to_ms(now)).limit(limit)
        with self._database.write() as connection:
            query = due.order_by(_columns.refund_due_at_ms).with_for_update(skip_locked=True)
            rows = list(connection.execute(query).mappings())
            ids = [row["session_id"] for row in rows]
            if ids:
                values = {"refund_due_at_ms": to_ms(now + _AGAIN)}
                connection.execute(update(payments).where(_columns.session_id.in_(ids)).values(values))
        return [payment_of(row) for row in rows]

    def schedule_next_query(self, payment: Payment, now: datetime) -> None:
        """Schedule the next query about a refund after one was made.

        Open and lost refunds are queried every hour. A bank may return a settled one for a month: it is
        queried after 1, 2, 4 … days.
        """
        made = func.coalesce(_columns.refund_made_at_ms, to_ms(now))
        age = to_ms(now) - made
        first, last = (int(each.total_seconds() * 1000) for each in (_FIRST_AGAIN, _SETTLED_AFTER))
        later = case((age > last, None), (age > first, to_ms(now) + age), else_=to_ms(now) + first)
        is_over = _columns.refund_id.is_(None) | (_IS_LOST & _columns.resolved_at_ms.is_not(None))
        due = case(
            (is_over, None),
            (_columns.refund_state == RefundState.SUCCEEDED, later),
            else_=to_ms(now + _AGAIN),
        )
        mine = _columns.session_id == payment.session_id
        with self._database.write() as connection:
            connection.execute(update(payments).where(mine).values(refund_due_at_ms=due))

    def unresolved(self, open_before: datetime) -> list[Payment]:
        """The payments whose refund failed, or has been pending since before `open_before`."""
        is_slow = _columns.refund_state.in_(_OPEN) & (_columns.refund_made_at_ms < to_ms(open_before))
        query = select(payments).where(_IS_LOST | is_slow, _columns.resolved_at_ms.is_(None))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_columns.refund_made_at_ms)).mappings()
            return [payment_of(row) for row in rows]

    def resolve(self, session_id: str, now: datetime, entry: AuditEntry) -> bool:
        """Mark a refund as resolved by an operator, which ends its alert. False without such a payment."""
        mine = update(payments).where(_columns.session_id == session_id, _columns.refund_id.is_not(None))
        with self._database.write() as connection:
            found = connection.execute(mine.values(resolved_at_ms=to_ms(now))).rowcount > 0
            audit.write(connection, entry if found else None)
        return found


def apply(
    connection: Connection,
    is_wanted: ColumnElement[bool],
    refund: Refund,
    now: datetime,
    *,
    is_current: bool = False,
) -> bool:
    """Record `refund` with the payment that `is_wanted`; return whether it changed anything.

    Provider messages arrive late and in any order, so a state never moves back: open, succeeded, lost.
    Another refund replaces a lost one, and one that `is_current` replaces any.
    """
    at_ms, is_settled = to_ms(now), refund.state is RefundState.SUCCEEDED
    made = case((_columns.refund_id == refund.id, _columns.refund_made_at_ms), else_=at_ms)
    values: dict[str, Any] = {
        "refund_id": refund.id,
        "refund_state": refund.state,
        "refund_reason": refund.reason,
        "refund_made_at_ms": func.coalesce(made, at_ms),
        "refunded_at_ms": at_ms if is_settled else None,
        "refund_due_at_ms": to_ms(now + (_FIRST_AGAIN if is_settled else _AGAIN)),
        "resolved_at_ms": None,
    }
    wanted = update(payments).where(is_wanted, _may_follow(refund, is_current=is_current))
    return connection.execute(wanted.values(values)).rowcount > 0


def covers_whole(refund: Refund) -> ColumnElement[bool]:
    """Whether `refund` covers the whole payment, not a part of it that was refunded by hand.

    If the amount is unknown, a refund by hand counts as a part: the provider decides about the rest.
    """
    if refund.is_ours:
        return _columns.session_id.is_not(None)
    return or_(_columns.amount <= (refund.amount or 0), _columns.refund_id == refund.id)


def _may_follow(refund: Refund, *, is_current: bool) -> ColumnElement[bool]:
    is_same = _columns.refund_id == refund.id
    earlier = (*_OPEN, RefundState.SUCCEEDED) if refund.state in LOST_REFUND else _OPEN
    is_later = is_same & _columns.refund_state.in_(earlier) & (_columns.refund_state != refund.state)
    return or_(_columns.refund_id.is_(None), is_later, ~is_same & (true() if is_current else _IS_LOST))


def payment_of(row: RowMapping) -> Payment:
    """The payment in a row."""
    return Payment(
        session_id=row["session_id"],
        payment=row["payment"],
        job_id=row["job_id"] or "",
        failure_reason=row["failure_reason"],
        refund=_refund_of(row),
        refunded_at=from_ms_or_none(row["refunded_at_ms"]),
        amount=row["amount"],
        currency=row["currency"],
        keys_used=row["refund_keys_used"],
    )


def _refund_of(row: RowMapping) -> Refund | None:
    if row["refund_id"] is None:
        return None
    return Refund(row["refund_id"], RefundState(row["refund_state"]), reason=row["refund_reason"])
