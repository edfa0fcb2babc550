"""Jobs of kind `refund`: refund a payment for an order that cannot be delivered, once.

Rollcall polls the state of its refunds: a webhook may be lost or not configured.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from domain.errors import InvalidInputError, PermanentError, RejectedError, RollcallError
from domain.job import JsonObject, Profile
from domain.money import LOST_REFUND, Payment, Refund
from providers.stripe import KeyUsedError
from workflows.kind import Job, JobContext, JobKind, PaymentContext

STRIPE = "stripe"
_ATTEMPTS = 25  # over about an hour and a half


@dataclass(frozen=True, slots=True)
class RefundInput:
    """Input: refund `payment`, the id of a checkout session; `reason` is for the operator."""

    payment: str
    reason: str


def read(payload: JsonObject) -> RefundInput:
    """Parse the payload. Raises: InvalidInputError that names each bad field."""
    problems = {name: "is not a known field" for name in payload if name not in RefundInput.__slots__}
    texts = {name: payload.get(name) for name in RefundInput.__slots__}
    problems |= {
        name: "must be a text" for name, text in texts.items() if not isinstance(text, str) or not text
    }
    if problems:
        raise InvalidInputError(problems)
    return RefundInput(**{name: str(text) for name, text in texts.items()})


def run(job: Job, wanted: RefundInput) -> JsonObject:
    """Alert the operator, and refund where Rollcall may."""
    return {"refund": refund_payment(job, wanted.payment, wanted.reason)}


def refund_payment(job: Job, session_id: str, reason: str) -> str | None:
    """Return the refund's id; None where there is nothing to refund, or Rollcall must not.

    The reason is recorded first: from then on the operator is alerted, whatever the refund's outcome.
    """
    job.step("note", lambda: _note(job, session_id, reason), attempts=_ATTEMPTS)
    if _ports(job).provider is None:
        return None
    return job.step("refund", lambda: _refund(job, session_id), attempts=_ATTEMPTS, must_finish=True)


def _note(job: Job, session_id: str, reason: str) -> None:
    _ports(job).payments.record_failure(session_id, reason, job.services.clock.now())


def _refund(job: Job, session_id: str) -> str | None:
    """Return the refund's id. The refund may be pending: `poll_refunds` and webhooks follow it."""
    found = _ports(job).payments.get(session_id)
    if found is None:
        raise PermanentError(f"no payment is known of the checkout session {session_id}")
    if found.payment is None:
        return None
    if found.refund is not None and found.refund.state not in LOST_REFUND:
        return found.refund.id
    return _refunded(job, found).id


def _refunded(job: Job, payment: Payment) -> Refund:
    """Return the refund that the provider created. Raises: RejectedError when it failed at once."""
    ports, now = _ports(job), job.services.clock.now()
    provider = ports.provider
    if provider is None:
        raise PermanentError("this process may give nothing back")
    try:
        refund = job.services.breakers[STRIPE].call(provider.create, payment, _key(job, payment))
    except KeyUsedError:
        ports.refunds.use_next_key(payment.session_id)
        raise
    ports.refunds.record(payment.session_id, refund, now)
    if refund.state in LOST_REFUND:
        raise RejectedError(
            f"the refund {refund.id} is {refund.state} ({refund.reason or 'no reason given'})"
        )
    return refund


def _key(job: Job, payment: Payment) -> str:
    """A key for each job, since the provider repeats what it refused; another one once a key is spent."""
    key = f"refund-{payment.session_id}-{job.id}"
    return f"{key}-{payment.keys_used}" if payment.keys_used else key


def _ports(job: Job) -> PaymentContext:
    if job.services.payments is None:
        raise PermanentError("this process handles no payments")
    return job.services.payments


_AT_ONCE = 20
_log = logging.getLogger(__name__)


def poll_refunds(services: JobContext) -> None:
    """Ask the provider what became of each refund that is due, and record it."""
    ports = services.payments
    if ports is None or ports.provider is None:
        return
    provider, breaker = ports.provider, services.breakers[STRIPE]
    for payment in ports.refunds.claim_due(services.clock.now(), _AT_ONCE):
        try:
            refund = breaker.call(provider.find, payment)
        except RollcallError as error:
            _log.warning("a refund is unknown", extra={"payment": payment.session_id, "error": str(error)})
            continue
        now = services.clock.now()
        if refund is not None:
            ports.refunds.record(payment.session_id, refund, now, is_current=True)
        ports.refunds.schedule_next_query(payment, now)


KIND = JobKind("refund", Profile.REALTIME, read, run, poll_seconds=5.0, is_public=False)
