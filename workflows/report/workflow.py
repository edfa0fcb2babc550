"""Jobs of kind `report`: the history of sections as a PDF, mailed to the customer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from domain.address import read_address
from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    InvalidInputError,
    PermanentError,
    RejectedError,
    TransientError,
)
from domain.history import midnight
from domain.job import Json, JsonObject, Profile
from domain.notification import Deferred, Rejected
from domain.retry import ACCOUNT_RECHECK
from domain.section import SectionKey
from store.sections.history import DailyRollups
from workflows.kind import Job, JobFailure, JobKind, ReportContext
from workflows.refund import refund_payment
from workflows.report.contents import TermFigures, contents_of, render_html
from workflows.steps import PausedError

MAX_SECTIONS = 20


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """Input: a report on `sections` for `email`; `payment` is the paying checkout session, or None."""

    email: str
    source: str
    term: str
    sections: tuple[str, ...]
    payment: str | None = None

    def keys(self) -> list[SectionKey]:
        """The sections, by their identity."""
        return [SectionKey(self.source, self.term, number) for number in self.sections]


def read(payload: JsonObject) -> ReportOrder:
    """Parse the payload. Raises: InvalidInputError that names each bad field."""
    problems = {name: "is not a known field" for name in payload if name not in ReportOrder.__slots__}
    texts = {name: _text(payload, name, problems) for name in ("email", "source", "term")}
    address = None
    try:
        address = read_address(texts["email"])
    except ValueError as error:
        problems.setdefault("email", str(error))
    sections = _sections(payload.get("sections"), problems)
    payment = payload.get("payment")
    if payment is not None and not isinstance(payment, str):
        problems["payment"] = "must be a checkout session's id"
    for number in sections:
        problems |= _key_problems(SectionKey(texts["source"], texts["term"], number), problems)
    if problems or address is None:
        raise InvalidInputError(problems)
    return ReportOrder(
        address, texts["source"], texts["term"], sections, None if payment is None else str(payment)
    )


def _text(payload: JsonObject, name: str, problems: dict[str, str]) -> str:
    value = payload.get(name)
    if isinstance(value, str) and value:
        return value
    problems[name] = "is missing" if value is None else "must be a text"
    return ""


def _sections(value: Json, problems: dict[str, str]) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        found = tuple(dict.fromkeys(map(str, value)))
        if 0 < len(found) <= MAX_SECTIONS:
            return found
    problems["sections"] = f"must be a list of 1 to {MAX_SECTIONS} section numbers"
    return ()


def _key_problems(key: SectionKey, known: dict[str, str]) -> dict[str, str]:
    """Return the new problems of `key`; a section number is one of `sections`."""
    found = {"sections" if name == "section" else name: problem for name, problem in key.problems().items()}
    return {name: problem for name, problem in found.items() if name not in known}


MAIL, DOCRAPTOR = "mail", "docraptor"
UNKNOWN_MAIL = "unknown"  # the mail was sent, and the response with its id was lost
_STEPS = 3
_ATTEMPTS = 12  # over about 24 minutes, excluding waits for an upstream's breaker
_HTML, _PDF = "text/html", "application/pdf"
_log = logging.getLogger(__name__)


def run(job: Job, order: ReportOrder) -> JsonObject:
    """Collect, render and deliver; the PDF is stored with the job."""
    job.report_progress(0, _STEPS, "collecting the history")
    document = job.step("collect", lambda: _collect(job, order), attempts=_ATTEMPTS)
    job.report_progress(1, _STEPS, "making the PDF")
    pdf = cache(lambda: _print(job, document))  # a retry must not pay for another one
    artifact = job.step("print", lambda: _store(job, pdf()), attempts=_ATTEMPTS)
    job.report_progress(2, _STEPS, "sending it")
    key = str(artifact["artifact"])
    mail_id = job.step("deliver", lambda: _deliver(job, order, key), attempts=_ATTEMPTS, must_finish=True)
    job.report_progress(_STEPS, _STEPS, "delivered")
    return artifact | {"mail_id": mail_id, "sections": len(order.sections)}


def compensate(job: Job, payload: JsonObject, failure: JobFailure) -> None:
    """Alert the operator, and refund the payment."""
    payment = payload.get("payment")
    if isinstance(payment, str):
        refund_payment(job, payment, f"The report was not delivered: {failure.reason}")


def _collect(job: Job, order: ReportOrder) -> str:
    """Collect the contents; return the document's storage key. Raises: PermanentError when there are none."""
    ports, now = _ports(job), job.services.clock.now()
    histories = ports.histories.of(order.keys(), now)
    if all(history.observed is None for history in histories):
        raise PermanentError(f"nothing was ever observed of these sections in term {order.term}")
    contents = contents_of(order.term, histories, _term_figures(ports.days, order), now)
    key = f"jobs/{job.id}/report.html"
    job.services.storage.put(key, render_html(contents).encode(), _HTML)
    return key


def _term_figures(days: DailyRollups, order: ReportOrder) -> TermFigures | None:
    """Return the term's figures as far as rolled up; None before the first rollup."""
    totals = [total for total in days.totals(order.source, order.term) if total.polled_time]
    if not totals:
        return None
    return TermFigures(
        sections=len(totals),
        openings_median=median(total.openings for total in totals),
        open_share_median=median(total.open / total.polled_time for total in totals),
        until=midnight(max(total.last_day for total in totals) + 1),
    )


def _print(job: Job, document: str) -> bytes:
    ports, html = _ports(job), job.services.storage.get(document).decode()
    if ports.printer_breaker is None:
        return ports.printer(html)
    return job.services.breakers[ports.printer_breaker].call(ports.printer, html)


def _store(job: Job, pdf: bytes) -> dict[str, Any]:
    key = f"jobs/{job.id}/report.pdf"
    job.services.storage.put(key, pdf, _PDF)
    return {"artifact": key, "content_type": _PDF, "bytes": len(pdf)}


def _deliver(job: Job, order: ReportOrder, artifact: str) -> str:
    """Send the mail; return the provider's message id. A pause of mail costs no attempt.

    Only this step uses its idempotency key. A key that was used before means that the provider accepted the
    mail, perhaps as another release rendered it. Its id is unknown then.
    """
    ports = _ports(job)
    _require_reachable(job, order.email)
    pdf = job.services.storage.get(artifact)
    message = ports.messages.write(order.email, order.term, order.sections, pdf, job.id)
    breaker, key = job.services.breakers[MAIL], f"report-{job.id}-deliver"
    try:
        (receipt,) = breaker.call(ports.mailer.send, [message], key)
    except IdempotencyKeyUsedError as error:
        _log.warning("the message was sent before", extra={"error": str(error)})
        return UNKNOWN_MAIL
    except AccountRefusedError as error:
        raise _paused(job, error) from error
    if isinstance(receipt, Rejected):
        raise RejectedError(f"the message was rejected: {receipt.reason}")
    if isinstance(receipt, Deferred):
        raise TransientError(receipt.reason, retry_after_seconds=receipt.retry_after_seconds)
    return receipt.provider_id


def _paused(job: Job, error: AccountRefusedError) -> PausedError:
    """Pause mail until an operator has repaired the provider account. The wait costs no attempt."""
    reason = f"the provider refuses the account or the sender: {error}"
    _ports(job).pauses.pause_for(MAIL, ACCOUNT_RECHECK, reason, job.services.clock.now())
    return PausedError(f"mail is paused: {reason}")


def _require_reachable(job: Job, email: str) -> None:
    """Raises: PausedError while mail is paused; RejectedError for a bounced or complaining address.

    A person who only unsubscribed from watches has bought this report, and still receives it.
    """
    ports, now = _ports(job), job.services.clock.now()
    pause = ports.pauses.paused(MAIL, now)
    if pause is not None:
        raise PausedError(f"mail is paused: {pause.reason}", retry_after_seconds=60)
    reason = ports.deliveries.suppression(email)
    if reason is not None:
        raise RejectedError(f"mail to the address is suppressed ({reason})")


def _ports(job: Job) -> ReportContext:
    if job.services.reports is None:
        raise PermanentError("this process makes no reports")
    return job.services.reports


KIND = JobKind(
    "report",
    Profile.REALTIME,
    read,
    run,
    compensate,
    at_once=4,
    poll_seconds=0.4,
    reserved_fields=frozenset({"payment"}),
)
