"""Handles payment events: deliver the order, or refund the payment. HTTP only passes the event on."""

from __future__ import annotations

import logging
import re

from actors.jobs import publish_job
from actors.services import Services
from domain.errors import InvalidInputError
from domain.job import JsonObject, NewJob
from domain.money import Checkout, PaymentDecision, PaymentEvent
from domain.text import one_line
from providers.stripe_events import COMPLETED, NOT_PAID, PAID_LATER
from workflows.kinds import KINDS

REPORT, REFUND = "report", "refund"
_PRODUCT = "section_history"
_log = logging.getLogger(__name__)


def handle_payment_event(services: Services, event: PaymentEvent, default_source: str) -> bool:
    """Store the event with the job that it causes, in one transaction; return False for a known event.

    An unreachable broker does not reject the event: the job is stored, and the reconciler publishes its
    message. After a rejection, the redelivered event would be known already and do nothing.
    """
    payments, now = services.store.payments, services.clock.now()
    decision = decide(event)
    if event.refunded is not None and payments.has(event.refunded):
        decision = PaymentDecision.FOLLOWED
    job, failure_reason = None, None
    if decision is PaymentDecision.TAKEN and event.checkout is not None:
        job, failure_reason = _job(services, event.checkout, default_source)
        decision = PaymentDecision.TAKEN if failure_reason is None else PaymentDecision.REFUSED
    is_new, job_id = payments.record(event, decision, now, job=job, failure_reason=failure_reason)
    found = None if job_id is None else services.store.jobs.get(job_id)
    if found is not None:
        publish_job(services, found)
    return is_new


def decide(event: PaymentEvent) -> PaymentDecision:
    """Return what the event asks for, before the order itself is parsed.

    Only the metadata `report` = `section_history` marks a session as an order of Rollcall. Every other
    session of the account belongs to another product: it is neither delivered nor refunded.
    """
    checkout = event.checkout
    if checkout is None or checkout.metadata.get("report") != _PRODUCT:
        _warn_of_near_miss(checkout)
        return PaymentDecision.IGNORED
    if event.kind == NOT_PAID:
        return PaymentDecision.UNPAID
    if event.kind in {COMPLETED, PAID_LATER}:
        return PaymentDecision.TAKEN if checkout.is_paid else PaymentDecision.WAITS
    return PaymentDecision.IGNORED


def _warn_of_near_miss(checkout: Checkout | None) -> None:
    """Warn of a session with a term and sections but no marker, which may be misspelt."""
    if checkout is not None and {"report", "term", "sections"} <= checkout.metadata.keys():
        _log.warning(
            "a checkout session is ignored: its metadata `report` is not %s",
            _PRODUCT,
            extra={"session": checkout.session_id, "report": one_line(checkout.metadata["report"])},
        )


def _job(services: Services, checkout: Checkout, default_source: str) -> tuple[NewJob, str | None]:
    """Return the job that delivers the order, or the job that refunds it and the reason."""
    payload = _payload(checkout, default_source)
    try:
        _require_known(services, checkout)
        KINDS[REPORT].read(payload)
    except InvalidInputError as error:
        failure_reason = one_line(f"The order cannot be delivered as it is: {error}")
        back: JsonObject = {"payment": checkout.session_id, "reason": failure_reason}
        return NewJob(REFUND, KINDS[REFUND].profile, back), failure_reason
    return NewJob(REPORT, KINDS[REPORT].profile, payload), None


def _require_known(services: Services, checkout: Checkout) -> None:
    source = checkout.metadata.get("source")
    problems = {}
    price = None if services.prices is None else services.prices.objection(checkout)
    if price is not None:
        problems["amount"] = price
    if source is not None and source not in services.source_names:
        problems["source"] = f"must be one of {', '.join(services.source_names)}"
    if problems:
        raise InvalidInputError(problems)


def _payload(checkout: Checkout, default_source: str) -> JsonObject:
    metadata = checkout.metadata
    return {
        "email": checkout.email or "",
        "source": metadata.get("source", default_source),
        "term": metadata.get("term", "").strip(),
        "sections": re.findall(r"[^\s,;]+", metadata.get("sections", "")),
        "payment": checkout.session_id,
    }
