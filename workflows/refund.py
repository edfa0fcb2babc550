"""Jobs of kind `refund`: what was paid for and cannot be delivered is given back, once."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidInputError, PermanentError
from domain.job import JsonObject
from workflows.attempt import guarded
from workflows.job import Job
from workflows.services import PaymentPorts

STRIPE = "stripe"
_ATTEMPTS = 25  # over about an hour and a half


@dataclass(frozen=True, slots=True)
class Return:
    """Giving back what `payment`, a checkout session, was paid for; `reason` is for the operator."""

    payment: str
    reason: str


def read(given: JsonObject) -> Return:
    """The return that `given` holds. Raises: InvalidInputError that names each bad field."""
    problems = {name: "is not a known field" for name in given if name not in Return.__slots__}
    texts = {name: given.get(name) for name in Return.__slots__}
    problems |= {
        name: "must be a text" for name, text in texts.items() if not isinstance(text, str) or not text
    }
    if problems:
        raise InvalidInputError(problems)
    return Return(**{name: str(text) for name, text in texts.items()})


def run(job: Job, wanted: Return) -> JsonObject:
    """Tell the operator, and give the money back where Rollcall may."""
    return {"refund": give_back(job, wanted.payment, wanted.reason)}


def give_back(job: Job, session_id: str, reason: str) -> str | None:
    """The id of the refund; None where there is nothing to give back, or Rollcall may not.

    The reason is noted first: from there the operator is told, whatever becomes of the refund.
    """
    job.step("note", lambda: _note(job, session_id, reason), attempts=_ATTEMPTS)
    if _ports(job).refund is None:
        return None
    return job.step("refund", lambda: _refund(job, session_id), attempts=_ATTEMPTS)


def _note(job: Job, session_id: str, reason: str) -> None:
    _ports(job).payments.note_trouble(session_id, reason, job.services.clock.now())


def _refund(job: Job, session_id: str) -> str | None:
    payments, refund = _ports(job).payments, _ports(job).refund
    found = payments.get(session_id)
    if found is None:
        raise PermanentError(f"no payment is known of the checkout session {session_id}")
    payment = found.payment
    if found.refund_id is not None or payment is None or refund is None:
        return found.refund_id
    # A key a job, for Stripe repeats what it once refused; it gives a payment back once, whatever the key.
    key = f"refund-{session_id}-{job.id}"
    refund_id = guarded(job.services.breakers[STRIPE], lambda: refund(payment, key))
    payments.note_refund(session_id, refund_id, job.services.clock.now())
    return refund_id


def _ports(job: Job) -> PaymentPorts:
    if job.services.payments is None:
        raise PermanentError("this process handles no payments")
    return job.services.payments
