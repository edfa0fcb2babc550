"""What the API shows, as JSON: times are ISO 8601 in UTC with a Z, None is null, unknown is never zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from domain.history import HistoryEntry
from domain.job import JobRecord, StepRecord
from domain.money import Balance, Transfer
from domain.observation import Details
from domain.run import Run
from domain.section import SectionKey
from domain.section_state import SectionState
from ingress.surfaces import WebContext
from operations.watches import Listing, listing, seen_at
from store.notifications.deliveries import StoredNotification
from store.sections.search import FoundSection
from store.watches import StoredWatch

Shown = dict[str, object]


def moment(at: datetime | None) -> str | None:
    """`at` such as 2026-01-15T09:30:00.000Z."""
    return (
        None
        if at is None
        else f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    )


def run(found: Run, surfaces: WebContext) -> Shown:
    """A run with its counts."""
    times = {name: moment(getattr(found, name)) for name in ("created_at", "started_at", "finished_at")}
    counts = ("sections", "checked", "failed", "deferred", "changed", "notifications")
    return {
        **triggered(found, surfaces),
        "reason": found.reason,
        **{name: getattr(found, name) for name in counts},
        **times,
    }


def triggered(found: Run, surfaces: WebContext) -> Shown:
    """A run as its trigger is told of it."""
    return {
        "run_id": found.id,
        "trigger": found.trigger,
        "stagger": found.stagger,
        "slot": moment(found.slot),
        "state": found.state,
        "status_url": surfaces.address(f"/cron/runs/{found.id}"),
    }


def watch(stored: StoredWatch, found: Listing | None = None) -> Shown:
    """A watch; `current` is null until its section was first seen. `found` is what was just learnt."""
    wanted, state = stored.watch, stored.section
    return {
        "id": stored.id,
        "email": wanted.email,
        **_identity(wanted.key),
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "created_at": moment(stored.created_at),
        "paused_until": moment(stored.paused_until),
        "listing": found or listing(state),
        "current": None if seen_at(state) is None else _current(state),
    }


def section_summary(found: FoundSection) -> Shown:
    """A section as listings show it, with the number of its active watches."""
    return {
        **_identity(found.state.key),
        **_current(found.state),
        **_counts(found.state),
        "watches": found.watches,
    }


def section(state: SectionState, history: Iterable[HistoryEntry]) -> Shown:
    """A section as it is known, and how it came to be so, newest first."""
    return {
        **_identity(state.key),
        **_current(state),
        **_counts(state),
        "history": [_sighting(each) for each in history],
    }


def notification(stored: StoredNotification) -> Shown:
    """A notification with the times of its way, and the facts that its letter tells."""
    notice = stored.notice
    times = {
        name: moment(getattr(stored, name)) for name in ("created_at", "due_at", "sent_at", "settled_at")
    }
    return {
        "id": notice.id,
        "watch_id": notice.watch_id,
        "kind": notice.kind,
        "episode": notice.episode,
        **_identity(notice.key),
        "email": notice.email,
        "state": stored.state,
        "reason": stored.reason,
        "observed_at": moment(notice.observed_at),
        **times,
        "provider_id": stored.provider_id,
        "facts": _facts(notice.open_seats, notice.capacity, notice.instructor, notice.details),
    }


def job(found: JobRecord, surfaces: WebContext) -> Shown:
    """A job with its input and its steps."""
    steps = [_step(step) for step in found.steps]
    return {**job_summary(found, surfaces), "input": found.given, "steps": steps}


def job_summary(found: JobRecord, surfaces: WebContext) -> Shown:
    """A job as listings show it."""
    times = ("created_at", "started_at", "cancel_asked_at", "finished_at")
    has_artifact = found.result is not None and "artifact" in found.result
    address = surfaces.address(f"/jobs/{found.id}")
    return {
        "id": found.id,
        "kind": found.kind,
        "queue": found.profile,
        "state": found.state,
        "progress": asdict(found.progress),
        "result": found.result,
        "error": found.error,
        "retry_of": found.retry_of,
        **{name: moment(getattr(found, name)) for name in times},
        "status_url": address,
        "artifact_url": f"{address}/artifact" if has_artifact else None,
    }


def credit_account(name: str, balance: Balance, ledger: Iterable[Transfer]) -> Shown:
    """What an account has, and a part of its ledger."""
    return {"account": name, "balance": asdict(balance), "items": [credit_transfer(each) for each in ledger]}


def credit_transfer(found: Transfer) -> Shown:
    """One movement of credits."""
    return {**asdict(found), "at": moment(found.at)}


def _step(step: StepRecord) -> Shown:
    times = {name: moment(getattr(step, name)) for name in ("started_at", "due_at", "finished_at")}
    return {
        "name": step.name,
        "state": step.state,
        "attempts": step.attempts,
        **times,
        "error": step.error,
    }


def _identity(key: SectionKey) -> Shown:
    return {"source": key.source, "term": key.term, "section": key.number}


def _counts(state: SectionState) -> Shown:
    return {name: getattr(state, name) for name in ("openings", "assignments", "misses", "retirements")}


def _current(state: SectionState) -> Shown:
    return {
        **_facts(state.open_seats, state.capacity, state.instructor, state.details),
        "observed_at": moment(seen_at(state)),
        "retired": state.retired,
    }


def _facts(open_seats: int | None, capacity: int | None, instructor: str | None, details: Details) -> Shown:
    return {"open_seats": open_seats, "capacity": capacity, "instructor": instructor, **asdict(details)}


def _sighting(seen: HistoryEntry) -> Shown:
    return {
        "observed_at": moment(seen.observed_at),
        "open_seats": seen.open_seats,
        "capacity": seen.capacity,
        "instructor": seen.instructor,
    }
