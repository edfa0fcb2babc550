"""The words for what is wrong: the symptom, whom it affects, the first command to type, how long to wait."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta

from actors.deliver import MAIL
from domain.alert import Symptom
from domain.payment import LOST_REFUND, Payment, RefundState
from operations.expectations import SourceReading
from resilience.permit import BreakerSnapshot
from rollcall.readings import Disk
from store.outbox import Backlog, Losses
from store.pauses import Pause

_OPEN_FOR = timedelta(minutes=10)
_CATCHING_UP = timedelta(minutes=10)  # runs that were missed while nobody was up are made good at once
_AWAY_FOR = timedelta(minutes=2)
_MIB = 1_048_576
_LOOK = {
    "breakers": "rollcall breaker ls",
    "pauses": "rollcall source ls",
    "queues": "rollcall queue ls",
    "losses": "rollcall mail ls --state dead",
    "runs": "rollcall cron ls",
    "outbox": "rollcall mail ls",
    "sources": "rollcall source ls",
    "disk": "df -h",
    "payments": "rollcall job ls --kind report",
    "workers": 'pgrep -af "rollcall: worker"',
    "jobs": 'pgrep -af "rollcall: jobs"',
}


def unreadable(reading: str, error: str) -> Symptom:
    """Nobody knows."""
    detail = f"Nobody can say whether all is well there: {error}"
    return Symptom(f"Cannot read {reading}", detail, _LOOK[reading], _AWAY_FOR)


def open_breaker(snapshot: BreakerSnapshot, affected: str) -> Symptom:
    """A breaker is open, half open, or held open. It may close in between for as long as probes take."""
    name = snapshot.name
    if snapshot.forced == "open":
        detail = f"{snapshot.forced_by} holds it open; no request is made.{affected}"
        command = f"rollcall breaker reset {name}"
        return Symptom(f"The breaker of {name} is held open", detail, command, _OPEN_FOR)
    detail = f"Requests failed, and it lets a few through to try again.{affected}"
    return Symptom(f"The breaker of {name} is open", detail, _LOOK["breakers"], _OPEN_FOR)


def paused(pause: Pause, affected: str) -> Symptom:
    """A source, or mail, is left alone."""
    who = "Rollcall" if pause.is_ours else pause.by
    detail = f"{who} paused it until {_clock(pause.until)}: {pause.reason}.{affected}"
    if pause.is_ours:
        detail += " Once what is wrong is mended, resume it; else it is tried again at that time."
    subject = "Mail is paused" if pause.name == MAIL else f"The source {pause.name} is paused"
    command = f"rollcall source resume {pause.name}" if pause.is_ours else _LOOK["pauses"]
    return Symptom(subject, detail, command)


def dead_letters(dead: Mapping[str, int]) -> Symptom:
    """Messages that were given up, by queue."""
    counts = ", ".join(f"{count} in {queue}" for queue, count in dead.items())
    return Symptom("Messages are dead", f"{counts}. They are kept for seven days.", "rollcall queue dead ls")


def lost(losses: Losses) -> Symptom:
    """Notifications that will never be sent."""
    detail = f"{losses.notifications} in the last hour. People who miss them: {losses.people}."
    return Symptom("Notifications could not be sent", detail, _LOOK["losses"])


def late(succeeded_at: datetime | None) -> Symptom:
    """Runs do not finish, or check nothing."""
    detail = "None ever has." if succeeded_at is None else f"The last one did at {_clock(succeeded_at)}."
    return Symptom("No run has succeeded in two intervals", detail, _LOOK["runs"], _CATCHING_UP)


def stuck(backlog: Backlog) -> Symptom:
    """Notifications wait too long."""
    since = "" if backlog.oldest_due_at is None else f", the oldest since {_clock(backlog.oldest_due_at)}"
    return Symptom(
        "Delivery is stuck", f"Notifications that wait: {backlog.pending}{since}.", _LOOK["outbox"]
    )


def silent(name: str, reading: SourceReading, affected: str) -> Symptom:
    """A source says nothing. It may have been paused until now: its next run has its chance."""
    since = "" if reading.silent_since is None else f" since {_clock(reading.silent_since)}"
    detail = f"Nothing was heard of any of its sections{since}.{affected}"
    return Symptom(f"The source {name} is silent", detail, _LOOK["sources"], reading.patience)


def full_disk(disk: Disk) -> Symptom:
    """The home's file system has little room."""
    detail = f"{disk.free // _MIB} MiB of {disk.total // _MIB} MiB are free."
    command = f"du -xh {shlex.quote(str(disk.path))} | sort -h | tail"
    return Symptom("The disk is nearly full", detail, command, _AWAY_FOR)


def no_worker() -> Symptom:
    """Nobody carries messages out."""
    detail = "Nothing is checked and nothing is sent."
    return Symptom("No worker is alive", detail, _LOOK["workers"], _AWAY_FOR)


def no_jobs_process() -> Symptom:
    """Nobody carries durable jobs out."""
    detail = "Durable jobs wait: nothing that was ordered is made."
    return Symptom("No jobs process is alive", detail, _LOOK["jobs"], _AWAY_FOR)


def undelivered(payment: Payment) -> Symptom:
    """Somebody has paid and got nothing."""
    detail = f"{payment.trouble} {_money(payment)}"
    return Symptom("A paid report was not delivered", detail, f"rollcall job show {payment.job_id}")


def unsettled_refund(payment: Payment) -> Symptom:
    """A refund failed, or does not arrive."""
    detail = f"{_money(payment)} Checkout session: {payment.session_id}."
    command = "rollcall payment ls --unsettled"
    is_lost = payment.refund is not None and payment.refund.state in LOST_REFUND
    return Symptom("A refund failed" if is_lost else "A refund has not arrived", detail, command)


def _money(payment: Payment) -> str:
    refund = payment.refund
    if refund is None:
        return "The payment is not refunded."
    if refund.state is RefundState.SUCCEEDED:
        return "The payment was refunded."
    reason = f": {refund.reason}" if refund.reason else ""
    is_lost = refund.state in LOST_REFUND
    return f"The refund {refund.id} {'is' if is_lost else 'is still'} {refund.state}{reason}."


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
