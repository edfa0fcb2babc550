"""Checks of the pipeline: runs, catalogs, terms, breakers, mail, payments.

A cause suppresses its consequences: a paused source raises no open-breaker or silence finding, and runs are
not late while every catalog is paused.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.alert import AlertMessage
from domain.catalog_poll import GuardState
from domain.check import Check, Part, Result, Severity
from domain.money import LOST_REFUND, Payment, RefundState
from domain.notification import MAIL
from domain.run import Run
from domain.text import format_minute
from observability.checks.snapshot import SystemSnapshot, Unavailable, required
from resilience.breaker_model import BreakerSnapshot
from store.pauses import Pause

SLOW_DELIVERY = timedelta(minutes=10)
OLD_DRILL = timedelta(days=2)


def _runs(state: SystemSnapshot) -> Iterator[Result]:
    runs, sources = required(state.runs), required(state.sources)
    checked = [name for name, source in sources.items() if source.has_runs]
    is_paused = bool(checked) and all(state.unresolved_pause(name) is not None for name in checked)
    failure = None
    if runs.times.is_late and not is_paused:
        failure = AlertMessage(
            "No run has succeeded in two intervals",
            _last_success(runs.times.succeeded_at) + _why(runs.last),
            "rollcall cron ls",
        )
    yield Result("late", failure)


def _last_success(at: datetime | None) -> str:
    return "None ever has." if at is None else f"The last one did at {format_minute(at)}."


def _why(last: Run | None) -> str:
    if last is None or last.is_success or not last.reason:
        return ""
    return f" The latest run: {last.reason}."


def _sources(state: SystemSnapshot) -> Iterator[Result]:
    for name, status in required(state.sources).items():
        since, failure = status.silent_since, None
        if since is not None and state.unresolved_pause(name) is None:
            detail = (
                f"No answer about any of its sections since {format_minute(since)}.{last_error(state, name)}"
            )
            failure = AlertMessage(
                f"The source {name} is silent",
                detail + state.affected(name),
                "rollcall source ls",
                status.patience,  # it may have been paused until now: allow for its next run
            )
        yield Result(name, failure)


def _pauses(state: SystemSnapshot) -> Iterator[Result]:
    for name, pause in required(state.pauses).items():
        affects = (Part.SENDING,) if name == MAIL else (Part.POLLING,)
        yield Result(name, _paused(pause, state.affected(name)), affects)


def _paused(pause: Pause, affected: str) -> AlertMessage:
    who = "Rollcall" if pause.is_ours else pause.by
    detail = f"{who} paused it until {format_minute(pause.until)}: {pause.reason}.{affected}"
    if pause.is_ours:
        detail += " Correct the cause, then resume it; otherwise it is tried again at that time."
    subject = "Mail is paused" if pause.name == MAIL else f"The source {pause.name} is paused"
    resume = "rollcall mail resume" if pause.name == MAIL else f"rollcall source resume {pause.name}"
    command = resume if pause.is_ours else "rollcall source ls"
    return AlertMessage(subject, detail, command)


def _breakers(state: SystemSnapshot) -> Iterator[Result]:
    sources = {} if isinstance(state.sources, Unavailable) else state.sources
    for breaker in required(state.breakers):
        is_well = breaker.state == "closed" or state.unresolved_pause(breaker.name) is not None
        part = Part.SENDING if breaker.name == MAIL else Part.POLLING
        affects = (part,) if breaker.name == MAIL or breaker.name in sources else ()
        yield Result(breaker.name, None if is_well else _open_breaker(breaker, state), affects)


def _open_breaker(breaker: BreakerSnapshot, state: SystemSnapshot) -> AlertMessage:
    name, affected = breaker.name, state.affected(breaker.name)
    if breaker.forced == "open":
        detail = f"{breaker.forced_by} holds it open; no request is made.{affected}"
        command = f"rollcall breaker reset {name}"
        return AlertMessage(f"The breaker of {name} is held open", detail, command)
    detail = f"Requests failed, and it lets a few through to try again.{last_error(state, name)}{affected}"
    return AlertMessage(f"The breaker of {name} is open", detail, "rollcall breaker ls")


def _outbox(state: SystemSnapshot) -> Iterator[Result]:
    backlog = required(state.outbox)
    oldest, failure = backlog.oldest_due_at, None
    is_stuck = oldest is not None and state.now - oldest > SLOW_DELIVERY
    if oldest is not None and is_stuck and state.unresolved_pause(MAIL) is None:
        detail = f"Notifications that wait: {backlog.pending}, the oldest since {format_minute(oldest)}."
        failure = AlertMessage("Delivery is stuck", detail + last_error(state, MAIL), "rollcall mail ls")
    yield Result("stuck", failure)


def _losses(state: SystemSnapshot) -> Iterator[Result]:
    losses, failure = required(state.losses), None
    if losses.notifications:
        detail = f"{losses.notifications} in the last hour. People who miss them: {losses.people}."
        failure = AlertMessage("Notifications could not be sent", detail, "rollcall mail ls --state dead")
    yield Result("notifications", failure)


def _terms(state: SystemSnapshot) -> Iterator[Result]:
    for (source, term), presence in required(state.terms).items():
        since = "" if presence.missing_since is None else f" since {format_minute(presence.missing_since)}"
        failure = AlertMessage(
            f"The term {term} of {source} seems to be over",
            f"None of its {presence.tracked} watched sections is listed{since}. Ending it mails each of its"
            " watchers once; until then they wait.",
            f"rollcall term end {source} {term}",
        )
        yield Result(f"{source}/{term}", None if state.unresolved_pause(source) is not None else failure)


def _guards(state: SystemSnapshot) -> Iterator[Result]:
    for (source, term), poll in required(state.guards).items():
        is_frozen = poll.guard is GuardState.FROZEN
        sample = "" if poll.guard_sample is None else f" The answer is kept in {poll.guard_sample}."
        ends = " Two good polls in a row end this." if is_frozen else ""
        failure = AlertMessage(
            f"The answers of {source} about {term} are {'frozen' if is_frozen else 'held'}",
            f"{poll.guard_reason}. Nothing is recorded or mailed until you release or discard them."
            f"{ends}{sample}{state.affected(source)}",
            f"rollcall catalog release {shlex.quote(source)} {shlex.quote(term)}",
        )
        yield Result(f"{source}/{term}", failure)


def _drills(state: SystemSnapshot) -> Iterator[Result]:
    for name, drill in required(state.drills).items():
        failure = None
        is_old = state.is_scheduled and state.now - drill.at > OLD_DRILL
        if (drill.error is not None or is_old) and state.unresolved_pause(name) is None:
            passed = ", ".join(drill.seconds) or "none"
            why = f"{drill.error}." if drill.error is not None else "No drill since."
            failure = AlertMessage(
                f"The fire drill of {name} failed" if drill.error else f"The fire drill of {name} is overdue",
                f"At {format_minute(drill.at)}, stages passed: {passed}. {why}{state.affected(name)}",
                f"rollcall catalog drill {shlex.quote(name)}",
            )
        yield Result(name, failure)


def _proposed_terms(state: SystemSnapshot) -> Iterator[Result]:
    for (source, term), label in required(state.proposed_terms).items():
        failure = AlertMessage(
            f"{source} has published {label}",
            f"It lists sections of the term {term}. Nothing polls it before you use it, or it is watched.",
            f"rollcall term use {shlex.quote(source)} {shlex.quote(term)}",
        )
        yield Result(f"{source}/{term}", failure)


def _unknown_sections(state: SystemSnapshot) -> Iterator[Result]:
    for source, unknown in required(state.unknown_sections).items():
        count = f"{unknown.count} watched section{'s' if unknown.count > 1 else ''}"
        failure = AlertMessage(
            f"{source} does not list {count}",
            f"It never has, so their watchers get no mail: {unknown.example}, for example.",
            "rollcall watch ls",
        )
        yield Result(source, failure)


def _payments(state: SystemSnapshot) -> Iterator[Result]:
    for payment in required(state.payments).undelivered:
        yield Result(payment.session_id, _undelivered(payment))


def _refunds(state: SystemSnapshot) -> Iterator[Result]:
    for payment in required(state.payments).unresolved_refunds:
        yield Result(payment.session_id, _unsettled_refund(payment))


def _undelivered(payment: Payment) -> AlertMessage:
    detail = f"{payment.failure_reason} {_money(payment)}"
    return AlertMessage("A paid report was not delivered", detail, f"rollcall job show {payment.job_id}")


def _unsettled_refund(payment: Payment) -> AlertMessage:
    detail = f"{_money(payment)} Checkout session: {payment.session_id}."
    is_lost = payment.refund is not None and payment.refund.state in LOST_REFUND
    subject = "A refund failed" if is_lost else "A refund has not arrived"
    return AlertMessage(subject, detail, "rollcall payment ls --unsettled")


def _money(payment: Payment) -> str:
    refund = payment.refund
    if refund is None:
        return "The payment is not refunded."
    if refund.state is RefundState.SUCCEEDED:
        return "The payment was refunded."
    reason = f": {refund.reason}" if refund.reason else ""
    is_lost = refund.state in LOST_REFUND
    return f"The refund {refund.id} {'is' if is_lost else 'is still'} {refund.state}{reason}."


def last_error(state: SystemSnapshot, name: str) -> str:
    """Return the last error of requests to `name` as a sentence; empty without one."""
    breaker = state.breaker(name)
    if breaker is None or breaker.last_error is None:
        return ""
    at = "" if breaker.last_error_at is None else f" at {format_minute(breaker.last_error_at)}"
    return f" The last error{at}: {breaker.last_error}."


CHECKS = (
    # Runs missed during downtime are caught up at once.
    Check("runs", _runs, Severity.DEGRADED, (Part.POLLING,),
          "rollcall cron ls", "no-finished-run", "runs",
          needs=("database",), pending_for=timedelta(minutes=10), is_critical=True),
    Check("sources", _sources, Severity.DEGRADED, (Part.POLLING,),
          "rollcall source ls", "source-silent", "#sources",
          needs=("database",), pending_for=timedelta(minutes=5), is_critical=True),
    Check("pauses", _pauses, Severity.DEGRADED, (Part.POLLING, Part.SENDING),
          "rollcall source ls", "paused", "#sources", needs=("database",), is_deliberate=True),
    # A breaker may close in between while probes run.
    Check("breakers", _breakers, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall breaker ls", "breaker-open", "#breakers",
          needs=("redis",), pending_for=timedelta(minutes=10), is_critical=True),
    Check("outbox", _outbox, Severity.DEGRADED, (Part.SENDING,),
          "rollcall mail ls", "delivery-stuck", "mail?state=pending", needs=("database",), is_critical=True),
    Check("losses", _losses, Severity.DEGRADED, (Part.SENDING,),
          "rollcall mail ls --state dead", "mail-lost", "mail?state=dead",
          needs=("database",), is_critical=True),
    Check("terms", _terms, Severity.DEGRADED, (Part.POLLING,),
          "rollcall term ls", "term-over", "sections?state=missing", needs=("database",)),
    Check("guards", _guards, Severity.DEGRADED, (Part.POLLING,),
          "rollcall source ls", "answers-withheld", "#sources", needs=("database",)),
    Check("drills", _drills, Severity.DEGRADED, (Part.POLLING,),
          "rollcall source ls", "drill-failed", "#sources", needs=("database",)),
    Check("proposed_terms", _proposed_terms, Severity.HEALTHY, (),
          "rollcall term listed", "term-published", "#sources", needs=("database",)),
    Check("unknown_sections", _unknown_sections, Severity.HEALTHY, (),
          "rollcall watch ls", "unknown-sections", "sections?state=missing", needs=("database",)),
    Check("payments", _payments, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall job ls --kind report", "report-undelivered", "jobs?kind=report", needs=("database",)),
    Check("refunds", _refunds, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall payment ls --unsettled", "refund-unsettled", "jobs?kind=report", needs=("database",)),
)  # fmt: skip
