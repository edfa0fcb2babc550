"""Jobs of kind `report`: what was seen of sections, as a PDF, by mail to whoever ordered it."""

from __future__ import annotations

import logging
from functools import cache
from statistics import median
from typing import Any

from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    PermanentError,
    RejectedError,
    TransientError,
)
from domain.history import midnight
from domain.job import JsonObject
from domain.notification import Deferred, Rejected
from domain.retry import ACCOUNT_RECHECK
from reports.contents import TermFigures, contents_of
from reports.document import render_html
from store.pauses import ROLLCALL
from store.sections.history import DailyRollups
from workflows.attempt import BreakerRefusedError, call_with_breaker
from workflows.job import Job, JobFailure
from workflows.order import ReportOrder
from workflows.refund import refund_payment
from workflows.services import ReportContext

MAIL, DOCRAPTOR = "mail", "docraptor"
UNKNOWN_MAIL = "unknown"  # it left, and the answer that named it was lost
_STEPS = 3
_ATTEMPTS = 12  # over about 24 minutes, beside what an upstream's breaker makes them wait
_HTML, _PDF = "text/html", "application/pdf"
_log = logging.getLogger(__name__)


def run(job: Job, order: ReportOrder) -> JsonObject:
    """Collect and draw, print, deliver; what was made is kept with the job."""
    job.tell(0, _STEPS, "collecting the history")
    document = job.step("collect", lambda: _collect(job, order), attempts=_ATTEMPTS)
    job.tell(1, _STEPS, "making the PDF")
    pdf = cache(lambda: _print(job, document))  # not made, and paid for, anew because there is no room for it
    artifact = job.step("print", lambda: _store(job, pdf()), attempts=_ATTEMPTS)
    job.tell(2, _STEPS, "sending it")
    key = str(artifact["artifact"])
    mail_id = job.step("deliver", lambda: _deliver(job, order, key), attempts=_ATTEMPTS, must_finish=True)
    job.tell(_STEPS, _STEPS, "delivered")
    return artifact | {"mail_id": mail_id, "sections": len(order.sections)}


def compensate(job: Job, given: JsonObject, failure: JobFailure) -> None:
    """Tell the operator, and give the money back."""
    payment = given.get("payment")
    if isinstance(payment, str):
        refund_payment(job, payment, f"The report was not delivered: {failure.reason}")


def _collect(job: Job, order: ReportOrder) -> str:
    """Where the document is kept. Raises: PermanentError when there is nothing to tell."""
    ports, now = _ports(job), job.services.clock.now()
    histories = ports.histories.of(order.keys(), now)
    if all(history.seen is None for history in histories):
        raise PermanentError(f"nothing was ever observed of these sections in term {order.term}")
    contents = contents_of(order.term, histories, _term_figures(ports.days, order), now)
    key = f"jobs/{job.id}/report.html"
    job.services.storage.put(key, render_html(contents).encode(), _HTML)
    return key


def _term_figures(days: DailyRollups, order: ReportOrder) -> TermFigures | None:
    """What the term came to, as far as it is condensed; None where nothing is yet."""
    totals = [total for total in days.totals(order.source, order.term) if total.looked_at]
    if not totals:
        return None
    return TermFigures(
        sections=len(totals),
        openings_median=median(total.openings for total in totals),
        open_share_median=median(total.open / total.looked_at for total in totals),
        until=midnight(max(total.last_day for total in totals) + 1),
    )


def _print(job: Job, document: str) -> bytes:
    ports, html = _ports(job), job.services.storage.get(document).decode()
    if ports.printer_breaker is None:
        return ports.printer(html)
    return call_with_breaker(job.services.breakers[ports.printer_breaker], lambda: ports.printer(html))


def _store(job: Job, pdf: bytes) -> dict[str, Any]:
    key = f"jobs/{job.id}/report.pdf"
    job.services.storage.put(key, pdf, _PDF)
    return {"artifact": key, "content_type": _PDF, "bytes": len(pdf)}


def _deliver(job: Job, order: ReportOrder, artifact: str) -> str:
    """The provider's id of the letter. A pause of mail costs no attempt.

    A key that was used before was used by this step alone: the provider has taken the letter, perhaps as
    another release wrote it. Its id is unknown then.
    """
    ports = _ports(job)
    _require_reachable(job, order.email)
    pdf = job.services.storage.get(artifact)
    letter = ports.letters.write(order.email, order.term, order.sections, pdf, job.id)
    guard, key = job.services.breakers[MAIL], f"report-{job.id}-deliver"
    try:
        (receipt,) = call_with_breaker(guard, lambda: ports.mailer.send([letter], key))
    except IdempotencyKeyUsedError as error:
        _log.warning("the letter left before", extra={"error": str(error)})
        return UNKNOWN_MAIL
    except AccountRefusedError as error:
        raise _paused(job, error) from error
    if isinstance(receipt, Rejected):
        raise RejectedError(f"the letter was refused: {receipt.reason}")
    if isinstance(receipt, Deferred):
        raise TransientError(receipt.reason, retry_after_seconds=receipt.retry_after_seconds)
    return receipt.provider_id


def _paused(job: Job, error: AccountRefusedError) -> BreakerRefusedError:
    """Pause mail until a person has repaired the account: the letter waits, and costs no attempt."""
    now = job.services.clock.now()
    reason = f"the provider refuses the account or the sender: {error}"
    _ports(job).pauses.pause(MAIL, now + ACCOUNT_RECHECK, reason, ROLLCALL, now)
    return BreakerRefusedError(f"mail is paused: {reason}")


def _require_reachable(job: Job, email: str) -> None:
    """Raises: BreakerRefusedError while mail is paused; RejectedError for who bounced or complained.

    Who has only unsubscribed from watches bought this all the same, and is on no such list.
    """
    ports, now = _ports(job), job.services.clock.now()
    pause = ports.pauses.paused(MAIL, now)
    if pause is not None:
        raise BreakerRefusedError(f"mail is paused: {pause.reason}", retry_after_seconds=60)
    reason = ports.deliveries.suppression(email)
    if reason is not None:
        raise RejectedError(f"mail to the address is suppressed ({reason})")


def _ports(job: Job) -> ReportContext:
    if job.services.reports is None:
        raise PermanentError("this process makes no reports")
    return job.services.reports
