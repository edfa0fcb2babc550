"""`rollcall status`: the system's state, as on the console's first page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import TypeVar

import click

from domain.catalog_poll import TermPoll
from domain.errors import UnreachableError
from domain.term import Presence, Term
from observability.checks import findings
from observability.checks.evaluation import summarize
from observability.checks.snapshot import RunStatus, SystemSnapshot, Unavailable
from operations import status as statuses
from operations.status import Trends
from resilience.lease import LeaseHolder
from resilience.queues import QueueStats
from rollcall.cli.output import json_option, show
from rollcall.process import open_system
from store.statistics import Latency

T = TypeVar("T")
_EXIT = {"healthy": 0, "degraded": 1, "unhealthy": 2}


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Is it polling, sending, draining? Exit code: 0 healthy, 1 degraded, 2 unhealthy."""
    try:
        with open_system() as system:
            found, trends = statuses.read(system.admin), statuses.read_trends(system.services)
    except UnreachableError as error:
        _print_outage(str(error), as_json=as_json)
        sys.exit(_EXIT["unhealthy"])
    summary = summarize(findings(found))
    if as_json:
        health = {"health": summary.health, "sentence": summary.sentence, **asdict(summary)}
        show([health | facts(found) | asdict(trends)], as_json=True)
    else:
        click.echo(f"{summary.health}: {summary.sentence}")
        for failure in summary.failures:
            click.echo(f"- {failure.subject}. {failure.detail} First: {failure.command}")
        show(({"what": what, "how": how} for what, how in _lines(found, trends)), as_json=False)
    sys.exit(_EXIT[summary.health])


def facts(found: SystemSnapshot) -> dict[str, object]:
    """Return `found` with string keys, as JSON requires."""
    parts = {"terms": found.terms, "guards": found.guards, "proposed_terms": found.proposed_terms}
    by_term = {name: _by_name(part) for name, part in parts.items()}
    shown = asdict(replace(found, terms={}, guards={}, proposed_terms={}, processes={})) | by_term
    del shown["processes"]
    if isinstance(found.processes, Unavailable):
        away = asdict(found.processes)
        return shown | dict.fromkeys(("workers", "schedulers", "jobs", "last_tick_at"), away)
    return shown | {
        "workers": [asdict(worker) for worker in found.alive("worker")],
        "schedulers": len(found.alive("scheduler")),
        "jobs": len(found.alive("jobs")),
        "last_tick_at": found.last_tick_at,
    }


def _by_name(terms: Mapping[Term, Presence | TermPoll | str] | Unavailable) -> dict[str, object]:
    if isinstance(terms, Unavailable):
        return asdict(terms)
    return {"/".join(term): each if isinstance(each, str) else asdict(each) for term, each in terms.items()}


def _print_outage(sentence: str, *, as_json: bool) -> None:
    """Print that nothing can be read, which counts as unhealthy."""
    if as_json:
        show([{"health": "unhealthy", "sentence": sentence}], as_json=True)
    else:
        click.echo(f"unhealthy: {sentence}")


def _lines(found: SystemSnapshot, trends: Trends) -> Iterator[tuple[str, str]]:
    yield "runs", _shown(found.runs, _runs)
    yield "schedule", _shown(found.runs, _schedule)
    yield "workers", _shown(found.workers, lambda alive: str(len(alive)))
    yield "schedulers", _shown(found.processes, lambda alive: str(len(alive["scheduler"])))
    yield "jobs", _shown(found.processes, lambda alive: str(len(alive["jobs"])))
    yield "cron lease", "free" if found.lease is None else _shown(found.lease, _holder)
    yield (
        "queues",
        _shown(
            found.queues,
            lambda all_: _listed(f"{name} {_queue(reading)}" for name, reading in all_.items()),
        ),
    )
    yield "breakers", _shown(found.breakers, lambda all_: _listed(f"{b.name} {b.state}" for b in all_))
    yield (
        "sources",
        _shown(
            found.sources,
            lambda all_: _listed(f"{name} answered {_moment(s.last_success_at)}" for name, s in all_.items()),
        ),
    )
    yield (
        "paused",
        _shown(
            found.pauses,
            lambda all_: _listed(f"{p.name} until {_moment(p.until)} by {p.by}" for p in all_.values()),
        ),
    )
    yield "outbox", _shown(found.outbox, lambda b: f"{b.pending} pending, {b.dead} dead")
    yield "alerts", _shown(found.alerts, lambda all_: _listed(alert.subject for alert in all_))
    yield "observation to mail", _shown(trends.latency, _latency)


def _shown(value: T | Unavailable, text: Callable[[T], str]) -> str:
    return f"unknown: {value.error}" if isinstance(value, Unavailable) else text(value)


def _runs(runs: RunStatus) -> str:
    now = "none in progress" if runs.current is None else f"{runs.current.id} in progress"
    return f"{now}; last success {_moment(runs.times.succeeded_at)}; next {_moment(runs.next_at)}"


def _schedule(runs: RunStatus) -> str:
    longest = "" if runs.oldest_check_at is None else f"; the oldest check {_moment(runs.oldest_check_at)}"
    return f"{runs.schedule}{longest}"


def _queue(queue: QueueStats) -> str:
    if not queue.is_age_known:
        oldest = ", oldest unknown"
    else:
        oldest = "" if queue.oldest_age_seconds is None else f", oldest {queue.oldest_age_seconds:.0f} s"
    return f"{queue.depth}{oldest} ({queue.dead} dead)"


def _holder(holder: LeaseHolder) -> str:
    return f"held by {holder.token} since {_moment(holder.since)}"


def _latency(latency: Latency) -> str:
    if latency.p50_seconds is None or latency.p99_seconds is None:
        return "no mail in the last day"
    percentiles = f"p50 {latency.p50_seconds:.1f} s, p99 {latency.p99_seconds:.1f} s"
    return f"{percentiles} ({latency.mails} mails in the last day)"


def _listed(parts: Iterator[str]) -> str:
    return ", ".join(parts) or "none"


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
