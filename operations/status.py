"""Reads a `SystemSnapshot` for the checks and for every page that shows the system's state.

It takes a few statements and round trips. `read_trends` reads figures of the last day that cost more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from actors.services import Services
from domain.alert import AlertState
from domain.catalog_poll import TermPoll, is_overdue
from domain.check_schedule import LONGEST_ACCRUAL_HOURS, MAX_INTERVAL_HOURS
from domain.money import PaymentFailures
from domain.poll_judgement import WITHHELD
from domain.section import Stagger
from domain.term import Term, TermState
from observability.checks.host import DATABASE, is_managed, read_backup, read_disk
from observability.checks.snapshot import (
    CatalogBudget,
    DatabaseErrors,
    RunSchedule,
    RunStatus,
    Server,
    SourceStatus,
    SystemSnapshot,
    Unavailable,
    read_or_unavailable,
    required,
)
from operations import breakers
from operations.context import AdminContext
from resilience.heartbeats import DATABASE_ERROR, DATABASE_ERRORS, Heartbeat
from store.catalogs.drills import Drill
from store.pauses import Pause
from store.repositories import Store
from store.statistics import Hour, Latency
from store.watches import Audience

ROLES = ("worker", "scheduler", "web", "jobs")
LOSSES_WINDOW = timedelta(hours=1)
TROUBLES_WINDOW = timedelta(days=1)
SLOW_REFUND = timedelta(days=5)
BUDGET_INTERVAL = timedelta(hours=LONGEST_ACCRUAL_HOURS)
"""The longest time between two runs of a budgeted system."""
_LATEST = 20

Processes = Mapping[str, Sequence[Heartbeat]]


def read(admin: AdminContext) -> SystemSnapshot:
    """Read a snapshot. A server that does not answer is waited for once, so that the rest is shown."""
    services, home = admin.services, admin.home
    store, now = services.store, services.clock.now()
    redis, broker = Server(), Server()
    processes = redis.read(lambda: {role: admin.heartbeats.alive(role) for role in ROLES})
    return SystemSnapshot(
        now=now,
        database=read_or_unavailable(lambda: _probe(admin, "database")),
        redis=redis.read(lambda: _probe(admin, "redis")),
        broker=broker.read(lambda: _probe(admin, "broker")),
        database_errors=read_or_unavailable(lambda: _database_errors(required(processes))),
        runs=read_or_unavailable(lambda: _runs(admin, now)),
        processes=processes,
        queues=broker.read(admin.queues),
        breakers=redis.read(lambda: breakers.read(services)),
        lease=redis.read(services.cron_lease.held),
        sources=read_or_unavailable(lambda: sources(services, is_scheduled=admin.is_scheduled)),
        pauses=read_or_unavailable(lambda: _unresolved(store.pauses.all(), now)),
        outbox=read_or_unavailable(store.outbox.backlog),
        losses=read_or_unavailable(lambda: store.outbox.losses(now - LOSSES_WINDOW)),
        payments=read_or_unavailable(lambda: payment_troubles(store, now)),
        clocks=read_or_unavailable(lambda: _clocks(services, required(processes))),
        disk=read_or_unavailable(lambda: None if home is None else read_disk(home)),
        backup=read_or_unavailable(lambda: None if home is None else read_backup(home, now)),
        alerts=read_or_unavailable(
            lambda: [found for found in store.alerts.all() if found.state is AlertState.RAISED]
        ),
        transport=services.mailer.name,
        is_scheduled=admin.is_scheduled,
        is_managed=is_managed(),
        terms=read_or_unavailable(lambda: store.terms.over(now)),
        unknown_sections=read_or_unavailable(store.sections.unknown),
        drills=read_or_unavailable(lambda: drills(services)),
        proposed_terms=read_or_unavailable(lambda: proposed_terms(services)),
        guards=read_or_unavailable(lambda: guards(services)),
        budgets=redis.read(lambda: budgets(services)) if services.catalogs else {},
    )


def payment_troubles(store: Store, now: datetime) -> PaymentFailures:
    """Return the orders that need an operator."""
    return PaymentFailures(
        store.payments.failed_since(now - TROUBLES_WINDOW),
        store.refunds.unresolved(now - SLOW_REFUND),
    )


def run_times(services: Services, *, is_scheduled: bool) -> RunSchedule:
    """Return when runs were expected and finished.

    Without the scheduler, runs are expected after one over HTTP; without a source that they check, never.
    """
    runs, now = services.store.runs, services.clock.now()
    first_at = runs.first_opened_at(None if is_scheduled else "http")
    return RunSchedule(
        expected_since=first_at if services.sources else None,
        finished_at=runs.last_finished_at(),
        succeeded_at=runs.last_succeeded_at(),
        two_ago=now - 2 * BUDGET_INTERVAL
        if services.is_budgeted
        else services.timetable.slot_before(Stagger.ALL, now, 2),
    )


def sources(services: Services, *, is_scheduled: bool) -> dict[str, SourceStatus]:
    """Return each source's status. Sections may all be in one half: patience is two of its intervals.

    In a budgeted system it is as long as any section may wait, and an hour for its run.
    """
    store, now = services.store, services.clock.now()
    answered, audiences = store.sections.last_success(now), store.watches.audiences()
    expected_since = run_times(services, is_scheduled=is_scheduled).expected_since
    two_ago, interval = _patience(services, now)
    found = {}
    for name in services.sources:
        audience = audiences.get(name)
        since = _expected_since(answered.get(name), audience, expected_since)
        is_silent = since is not None and since < two_ago
        found[name] = SourceStatus(answered.get(name), audience, since if is_silent else None, interval)
    return found | (_polled(services, audiences, is_scheduled=is_scheduled) if services.catalogs else {})


def _patience(services: Services, now: datetime) -> tuple[datetime, timedelta]:
    """Return since when a source must have answered, and the interval of runs."""
    if services.is_budgeted:
        return now - timedelta(hours=MAX_INTERVAL_HOURS) - BUDGET_INTERVAL, BUDGET_INTERVAL
    timetable = services.timetable
    two_ago = min(timetable.slot_before(half, now, 2) for half in (Stagger.EVEN, Stagger.ODD))
    return two_ago, timetable.slot(Stagger.ALL, now) - timetable.slot_before(Stagger.ALL, now, 1)


def _polled(
    services: Services, audiences: Mapping[str, Audience], *, is_scheduled: bool
) -> dict[str, SourceStatus]:
    """Return the status of each polled catalog: a complete answer about any term is a success.

    Without the scheduler, answers are expected after the first poll.
    """
    polls, now, found = services.store.polls.all(), services.clock.now(), {}
    for name, catalog in services.catalogs.items():
        its_polls = [poll for poll in polls.values() if poll.source == name]
        answered = [poll for poll in its_polls if poll.completed_at is not None]
        last = max(answered, key=lambda poll: poll.completed_at or now, default=TermPoll(name, ""))
        every, audience = timedelta(seconds=catalog.profile.polling.every_seconds), audiences.get(name)
        silent_since = None
        if audience is not None and (is_scheduled or its_polls):
            is_silent = is_overdue(last, audience.since, every, now)
            silent_since = max(audience.since, last.completed_at or audience.since) if is_silent else None
        found[name] = SourceStatus(last.completed_at, audience, silent_since, every, has_runs=False)
    return found


def guards(services: Services) -> dict[Term, TermPoll]:
    """Return the polls of each term whose answers are withheld."""
    if not services.catalogs:
        return {}
    return {
        term: poll
        for term, poll in services.store.polls.all().items()
        if term[0] in services.catalogs and poll.guard in WITHHELD
    }


def drills(services: Services) -> dict[str, Drill]:
    """Return the last fire drill of each polled catalog that has had one."""
    if not services.catalogs:
        return {}
    return {name: each for name, each in services.store.drills.all().items() if name in services.catalogs}


def proposed_terms(services: Services) -> dict[Term, str]:
    """Return the label of the term that each polled catalog has published and that could be used next."""
    if not services.catalogs:
        return {}
    return {
        (each.source, each.term.code): each.term.label
        for each in services.store.catalog_terms.all()
        if each.state is TermState.PROPOSED and each.source in services.catalogs
    }


def budgets(services: Services) -> dict[str, CatalogBudget]:
    """Return the requests of this UTC day to the host of each polled catalog. Raises: UnreachableError."""
    found = {}
    for name, catalog in services.catalogs.items():
        made, limit = catalog.usage().requests_today, catalog.profile.polling.daily_requests
        found[name] = CatalogBudget(made, max(0, limit - made))
    return found


@dataclass(frozen=True, slots=True)
class Trends:
    """The last 24 hours by clock hour, oldest first; and mail throughput of the last day."""

    hours: list[Hour] | Unavailable
    latency: Latency | Unavailable


def read_trends(services: Services) -> Trends:
    """Read the trends."""
    statistics, now = services.store.statistics, services.clock.now()
    return Trends(
        read_or_unavailable(lambda: statistics.hours(now)),
        read_or_unavailable(lambda: statistics.latency(now)),
    )


def _expected_since(
    answered_at: datetime | None, audience: Audience | None, runs_since: datetime | None
) -> datetime | None:
    """Return since when a source is expected to answer; None while no watch needs it."""
    if audience is None or runs_since is None:
        return None
    return max(at for at in (answered_at, audience.since, runs_since) if at is not None)


def _probe(admin: AdminContext, name: str) -> str:
    admin.probes[name]()
    return "ok"


def _database_errors(processes: Processes) -> DatabaseErrors:
    """Return the errors of the live processes, each within its own window (`store.error_window`)."""
    found = [beat.facts for beat in chain.from_iterable(processes.values()) if DATABASE_ERRORS in beat.facts]
    texts = [facts[DATABASE_ERROR] for facts in found if facts.get(DATABASE_ERROR)]
    return DatabaseErrors(sum(int(facts[DATABASE_ERRORS]) for facts in found), texts[-1] if texts else "")


def _clocks(services: Services, processes: Processes) -> dict[str, float]:
    """Return by host how far its clock is ahead; of several processes, the largest offset."""
    found: dict[str, float] = {}
    for beat in chain.from_iterable(processes.values()):
        host = beat.facts.get("host", beat.instance_id)
        found[host] = max(found.get(host, 0.0), beat.ahead_seconds, key=abs)
    database_now = services.store.clock_bounds.database_now()
    if database_now is not None:
        found[DATABASE] = (database_now - services.clock.now()).total_seconds()
    return found


def _runs(admin: AdminContext, now: datetime) -> RunStatus:
    services = admin.services
    latest, _ = services.store.runs.page(None, _LATEST)
    plans, sources = services.store.check_plans, list(services.sources)
    return RunStatus(
        current=next((run for run in latest if not run.state.is_final), None),
        last=next((run for run in latest if run.state.is_final), None),
        next_at=_next_at(services, now) if admin.is_scheduled and services.sources else None,
        times=run_times(services, is_scheduled=admin.is_scheduled),
        is_budgeted=services.is_budgeted,
        oldest_check_at=plans.oldest_check_at(sources) if services.is_budgeted else None,
    )


def _next_at(services: Services, now: datetime) -> datetime:
    if not services.is_budgeted:
        return services.timetable.next_slot(now)
    due_at = services.store.check_plans.due_at(list(services.sources))
    return now if due_at is None else max(now, due_at)


def _unresolved(kept: Mapping[str, Pause], now: datetime) -> dict[str, Pause]:
    return {name: pause for name, pause in kept.items() if pause.is_ours or pause.is_in_force(now)}
