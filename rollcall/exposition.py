"""The Prometheus metrics of the whole fleet; docs/metrics.md explains each.

Gauges are read at each scrape; counters come from the metrics store.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

from prometheus_client.metrics_core import Metric

from actors import ACTORS, QUEUES
from domain.check import Severity
from ingress import admission
from observability import recorders
from observability.checks import CHECKS, findings
from observability.checks.host import read_disk
from observability.metrics import SnapshotCollector, counter_family, gauge, histogram_family
from observability.recorders import CHECK_OUTCOMES, MAIL_OUTCOMES
from operations import breakers, expectations, status
from operations.operation import AdminContext
from operations.status import ROLES
from rollcall import backups, brokers
from rollcall.job_readings import job_metrics
from rollcall.manning import process_metrics
from rollcall.wiring import System


def readings(system: System) -> SnapshotCollector:
    """Return the readers of every metric of the fleet."""
    room = system.admin
    of_room = (_checks, _breakers, _runs, _sources)
    of_system = (_lease, _mail, _pauses, _disk, _backup, job_metrics, process_metrics, _counts)
    return SnapshotCollector(
        [
            _build,
            partial(_queues, system, room),
            *(partial(read, room) for read in of_room),
            *(partial(read, system) for read in of_system),
        ]
    )


def _build() -> Iterator[Metric]:
    yield gauge("rollcall_build_info", "The running version", [({"version": version("rollcall")}, 1)])


def _checks(room: AdminContext) -> Iterator[Metric]:
    found = findings(status.read(room))
    severities = {check.name: Severity.HEALTHY for check in CHECKS}
    for finding in found:
        severities[finding.check.name] = max(severities[finding.check.name], finding.severity)
    yield gauge(
        "rollcall_check_severity",
        "What /health says of each check: 0 healthy, 1 degraded, 2 unhealthy",
        [({"check": name}, float(severity)) for name, severity in severities.items()],
    )
    late = [finding.failure is not None for finding in found if finding.name == "runs/late"]
    yield gauge(
        "rollcall_runs_late",
        "1 when no run has succeeded in two intervals",
        [({}, is_late) for is_late in late],
    )


def _queues(system: System, room: AdminContext) -> Iterator[Metric]:
    queues = room.queues().items()
    yield gauge("rollcall_queue_depth", "Unfinished messages", [({"queue": n}, q.depth) for n, q in queues])
    yield gauge(
        "rollcall_dead_letters", "Dead letters in the broker", [({"queue": n}, q.dead) for n, q in queues]
    )
    if not brokers.is_rabbitmq(system.settings):  # which does not expose it
        ages = [({"queue": name}, q.oldest_age_seconds or 0) for name, q in queues]
        yield gauge("rollcall_queue_oldest_age_seconds", "Age of the oldest message that waits", ages)


def _breakers(room: AdminContext) -> Iterator[Metric]:
    snapshots = breakers.read(room.services)
    states = [
        ({"breaker": snapshot.name, "state": state}, float(snapshot.state == state))
        for snapshot in snapshots
        for state in recorders.BREAKER_STATES
    ]
    yield gauge("rollcall_breaker_state", "1 for the state that the breaker is in", states)
    forced = [({"breaker": snapshot.name}, float(snapshot.forced is not None)) for snapshot in snapshots]
    yield gauge("rollcall_breaker_forced", "1 while an operator holds the breaker", forced)


def _runs(room: AdminContext) -> Iterator[Metric]:
    times = expectations.run_times(room.services, is_scheduled=room.is_scheduled)
    ends = {"finished": times.finished_at, "successful": times.succeeded_at}
    for name, at in ends.items():
        known = [] if at is None else [at.timestamp()]
        yield gauge(
            f"rollcall_last_{name}_run_timestamp_seconds",
            f"When the last {name} run ended",
            [({}, seconds) for seconds in known],
        )


def _lease(system: System) -> Iterator[Metric]:
    is_held = system.services.cron_lease.held() is not None
    yield gauge("rollcall_cron_lease_held", "1 while a run is being dispatched", [({}, is_held)])


def _mail(system: System) -> Iterator[Metric]:
    outbox, now = system.services.store.outbox, system.services.clock.now()
    states = [({"state": state}, float(count)) for state, count in outbox.counts().items()]
    yield gauge("rollcall_notifications", "Notifications by state", states)
    oldest = outbox.backlog().oldest_due_at
    age = 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
    yield gauge(
        "rollcall_notifications_oldest_age_seconds", "How long the oldest unsent one is due", [({}, age)]
    )


def _sources(room: AdminContext) -> Iterator[Metric]:
    found = expectations.sources(room.services, is_scheduled=room.is_scheduled)
    times = {name: reading.last_success_at for name, reading in found.items()}
    seen = [({"source": name}, at.timestamp()) for name, at in times.items() if at is not None]
    yield gauge("rollcall_source_last_success_timestamp_seconds", "When a source last answered", seen)
    silent = [({"source": name}, reading.silent_since is not None) for name, reading in found.items()]
    yield gauge(
        "rollcall_source_silent", "1 when a source that is watched said nothing in two intervals", silent
    )


def _pauses(system: System) -> Iterator[Metric]:
    pauses, now = system.services.store.pauses, system.services.clock.now()
    samples = [({"name": name}, pauses.paused(name, now) is not None) for name in system.services.breakers]
    yield gauge("rollcall_paused", "1 while a source, or mail, is left alone", samples)


def _disk(system: System) -> Iterator[Metric]:
    disk = read_disk(system.settings.home)
    yield gauge("rollcall_disk_free_bytes", "Room on the file system of the home", [({}, disk.free)])
    yield gauge("rollcall_disk_size_bytes", "Size of the file system of the home", [({}, disk.total)])


def _backup(system: System) -> Iterator[Metric]:
    noted = backups.last(system.settings.home)
    made = [] if noted is None else [noted.at.timestamp()]
    yield gauge(
        "rollcall_last_backup_timestamp_seconds", "When a backup was last made", [({}, at) for at in made]
    )


def _counts(system: System) -> Iterator[Metric]:
    counts, known = system.pulse.ledger.read(), _known(system)
    for counter in recorders.COUNTERS:
        yield counter_family(counter, counts, known[counter.labels])
    for histogram in recorders.HISTOGRAMS:
        yield histogram_family(histogram, counts, known[histogram.labels])


def _known(system: System) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """Return every possible series, so that each is present, at zero, before its first event."""
    services = system.services
    return {
        (): [()],
        ("actor",): [*((spec.name,) for spec in ACTORS), (recorders.UNKNOWN_ACTOR,)],
        ("queue",): [(queue,) for queue in QUEUES],
        ("source",): [(source,) for source in services.sources],
        ("source", "outcome"): [
            (source, outcome) for source in services.sources for outcome in CHECK_OUTCOMES
        ],
        ("outcome",): [(outcome,) for outcome in MAIL_OUTCOMES],
        ("breaker", "to"): [(name, to) for name in services.breakers for to in recorders.BREAKER_STATES],
        ("class",): [(name,) for name in admission.NAMES],
        ("role",): [(role,) for role in ROLES],
    }
