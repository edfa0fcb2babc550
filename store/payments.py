"""Payment events, each stored once, and one job per paid order, in the transaction of its event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from domain.job import JobState, NewJob
from domain.money import Checkout, Payment, PaymentDecision, PaymentEvent
from store import refunds
from store.database import Database, insert_new, to_ms
from store.jobs import jobs
from store.refunds import covers_whole, payment_of
from store.schema import jobs as job_rows
from store.schema import mail_events, payment_events, payments

_LOST = ("bounced", "soft_bounced", "failed", "unsent", "suppressed")  # not delivered to the customer


class Payments:
    """The rows of `payment_events` and `payments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        event: PaymentEvent,
        decision: PaymentDecision,
        now: datetime,
        *,
        job: NewJob | None = None,
        failure_reason: str | None = None,
    ) -> tuple[bool, str | None]:
        """Record an event; return whether it is new, and the id of the job that it caused.

        Two events of one session (paid at once, paid later) cause one job. `failure_reason` explains why the
        order cannot be delivered. The caller then publishes the job's message.
        """
        checkout = event.checkout
        with self._database.write() as connection:
            if not insert_new(connection, payment_events, _event_row(event, decision, failure_reason, now)):
                return False, None
            if event.refunded is not None:
                _follow_refund(connection, event, now)
            if job is None or checkout is None:
                return True, None
            if not insert_new(connection, payments, _payment_row(checkout, failure_reason, now)):
                return True, None
            job_id, _ = jobs.write(connection, job, now)
            mine = update(payments).where(payments.c.session_id == checkout.session_id)
            connection.execute(mine.values(job_id=job_id))
        return True, job_id

    def get(self, session_id: str) -> Payment | None:
        """The payment, or None if the session does not exist."""
        query = select(payments).where(payments.c.session_id == session_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else payment_of(row)

    def latest(self, limit: int) -> list[Payment]:
        """The newest payments."""
        query = select(payments).order_by(payments.c.created_at_ms.desc()).limit(limit)
        with self._database.read() as connection:
            return [payment_of(row) for row in connection.execute(query).mappings()]

    def has(self, payment: str) -> bool:
        """Whether `payment`, the provider's id, paid for an order."""
        with self._database.read() as connection:
            query = select(payments.c.session_id).where(payments.c.payment == payment)
            return connection.execute(query).first() is not None

    def record_failure(self, session_id: str, reason: str, now: datetime) -> None:
        """Mark the order as not delivered. The first reason remains."""
        mine = (payments.c.session_id == session_id) & payments.c.failure_reason.is_(None)
        with self._database.write() as connection:
            values = {"failure_reason": reason, "failed_at_ms": to_ms(now)}
            connection.execute(update(payments).where(mine).values(values))

    def failed_since(self, moment: datetime) -> list[Payment]:
        """The orders found undeliverable since `moment`, or whose message was returned."""
        query = select(payments).where(payments.c.failed_at_ms >= to_ms(moment))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(payments.c.failed_at_ms)).mappings()
            found = [payment_of(row) for row in rows]
            found += _returned(connection, to_ms(moment))
        return list({payment.session_id: payment for payment in found}.values())


def _returned(connection: Connection, since_ms: int) -> Iterator[Payment]:
    """The orders whose message was sent and reported lost, with the jobs that sent them.

    Computed on demand, because the provider may report the loss before the sending job has ended.
    """
    sent, events = job_rows.c, mail_events.c
    is_its_letter = events.provider_id == sent.result["mail_id"].as_string()
    is_its_payment = payments.c.session_id == sent.input["payment"].as_string()
    query = (
        select(payments, sent.id.label("sent_by"), events.kind, events.reason)
        .select_from(job_rows.join(mail_events, is_its_letter).join(payments, is_its_payment))
        .where(sent.kind == "report", sent.state == JobState.SUCCEEDED)
        .where(events.kind.in_(_LOST), events.received_at_ms >= since_ms)
        .order_by(events.received_at_ms)
    )
    for row in connection.execute(query).mappings():
        why = ": ".join(filter(None, (row["kind"], row["reason"])))
        failure_reason = f"The mail with the report that {row['session_id']} paid for did not arrive ({why})."
        yield replace(payment_of(row), job_id=row["sent_by"], failure_reason=failure_reason)


def _follow_refund(connection: Connection, event: PaymentEvent, now: datetime) -> None:
    """Record the refund in an event; if the event has only its payment, make a provider query due at once."""
    is_its = payments.c.payment == event.refunded
    if event.refund is not None:
        refunds.apply(connection, is_its & covers_whole(event.refund), event.refund, now)
    else:
        connection.execute(update(payments).where(is_its).values(refund_due_at_ms=to_ms(now)))


def _event_row(
    event: PaymentEvent, decision: PaymentDecision, reason: str | None, now: datetime
) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "session_id": None if event.checkout is None else event.checkout.session_id,
        "decision": decision,
        "reason": reason,
        "received_at_ms": to_ms(now),
    }


def _payment_row(checkout: Checkout, failure_reason: str | None, now: datetime) -> dict[str, Any]:
    return {
        "session_id": checkout.session_id,
        "payment": checkout.payment,
        "amount": checkout.amount,
        "currency": checkout.currency,
        "created_at_ms": to_ms(now),
        "failure_reason": failure_reason,
        "failed_at_ms": None if failure_reason is None else to_ms(now),
    }
