"""Reads a `SystemSnapshot` for the checks and for every page that shows the system's state.

It takes a few statements and round trips; more expensive figures are in `operations.trends`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain

from actors.services import Services
from domain.alert import AlertState
from domain.money import PaymentFailures
from observability.checks.host import DATABASE, read_disk
from observability.checks.snapshot import DatabaseErrors, RunStatus, SystemSnapshot
from observability.checks.unavailable import Server, read_or_unavailable, required
from operations import breakers, expectations
from operations.operation import AdminContext
from resilience.heartbeats import DATABASE_ERROR, DATABASE_ERRORS, TICKED_AT, Heartbeat
from store.pauses import Pause
from store.repositories import Store

ROLES = ("worker", "scheduler", "web", "jobs")
LOSSES_WINDOW = timedelta(hours=1)
TROUBLES_WINDOW = timedelta(days=1)
SLOW_REFUND = timedelta(days=5)
_LATEST = 20

Processes = Mapping[str, Sequence[Heartbeat]]


def read(room: AdminContext) -> SystemSnapshot:
    """Read a snapshot."""
    services = room.services
    store, now = services.store, services.clock.now()
    redis, broker = (
        Server(),
        Server(),
    )  # wait once for a silent server, so that the rest shows
    processes = redis.read(lambda: {role: room.heartbeats.alive(role) for role in ROLES})
    return SystemSnapshot(
        now=now,
        database=read_or_unavailable(lambda: _ask(room, "database")),
        redis=redis.read(lambda: _ask(room, "redis")),
        broker=broker.read(lambda: _ask(room, "broker")),
        database_errors=read_or_unavailable(lambda: _database_errors(required(processes))),
        runs=read_or_unavailable(lambda: _runs(room, now)),
        workers=read_or_unavailable(lambda: list(required(processes)["worker"])),
        schedulers=read_or_unavailable(lambda: len(required(processes)["scheduler"])),
        last_tick_at=read_or_unavailable(lambda: _last_tick_at(required(processes))),
        jobs=read_or_unavailable(lambda: len(required(processes)["jobs"])),
        queues=broker.read(room.queues),
        breakers=redis.read(lambda: breakers.read(services)),
        lease=redis.read(services.cron_lease.held),
        sources=read_or_unavailable(lambda: expectations.sources(services, is_scheduled=room.is_scheduled)),
        pauses=read_or_unavailable(lambda: _unresolved(store.pauses.all(), now)),
        outbox=read_or_unavailable(store.outbox.backlog),
        losses=read_or_unavailable(lambda: store.outbox.losses(now - LOSSES_WINDOW)),
        payments=read_or_unavailable(lambda: payment_troubles(store, now)),
        clocks=read_or_unavailable(lambda: _clocks(services, required(processes))),
        disk=read_or_unavailable(lambda: None if room.home is None else read_disk(room.home)),
        alerts=read_or_unavailable(
            lambda: [found for found in store.alerts.all() if found.state is AlertState.RAISED]
        ),
        transport=services.mailer.name,
        is_scheduled=room.is_scheduled,
        terms=read_or_unavailable(lambda: store.terms.over(now)),
        unknown_sections=read_or_unavailable(store.sections.unknown),
    )


def payment_troubles(store: Store, now: datetime) -> PaymentFailures:
    """Return the orders that need an operator."""
    return PaymentFailures(
        store.payments.failed_since(now - TROUBLES_WINDOW),
        store.refunds.unresolved(now - SLOW_REFUND),
    )


def _ask(room: AdminContext, name: str) -> str:
    room.probes[name]()
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


def _last_tick_at(processes: Processes) -> datetime | None:
    ticks = [float(beat.facts[TICKED_AT]) for beat in processes["scheduler"] if TICKED_AT in beat.facts]
    return datetime.fromtimestamp(max(ticks), UTC) if ticks else None


def _runs(room: AdminContext, now: datetime) -> RunStatus:
    services = room.services
    latest, _ = services.store.runs.page(None, _LATEST)
    return RunStatus(
        current=next((run for run in latest if not run.state.is_final), None),
        last=next((run for run in latest if run.state.is_final), None),
        next_at=services.timetable.next_slot(now) if room.is_scheduled else None,
        times=expectations.run_times(services, is_scheduled=room.is_scheduled),
    )


def _unresolved(kept: Mapping[str, Pause], now: datetime) -> dict[str, Pause]:
    return {name: pause for name, pause in kept.items() if pause.is_ours or pause.is_in_force(now)}
