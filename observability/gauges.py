"""The gauges of the fleet: the state in one `SystemSnapshot`, and what else only a scrape reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version

from prometheus_client.metrics_core import Metric

from domain.check import Finding, Severity
from domain.job import JobState, Profile
from observability.checks import CHECKS, findings
from observability.checks.snapshot import SystemSnapshot, required
from observability.recorders import (
    BREAKER_STATES,
    CHECK_OUTCOMES,
    DELIVERY_OUTCOMES,
    POLL_FAULTS,
    UNKNOWN_ACTOR,
)
from resilience.heartbeats import MEMORY
from store.jobs.jobs import Jobs

Read = Callable[[], Iterable[Metric]]


@dataclass(frozen=True, slots=True)
class Labels:
    """Every value of the counters' labels: each series is present, at zero, before its first event."""

    actors: Sequence[str]
    queues: Sequence[str]
    sources: Sequence[str]
    breakers: Sequence[str]
    roles: Sequence[str]
    job_kinds: Sequence[str]
    request_classes: Sequence[str]

    def of(self, names: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return every combination for the labels `names`."""
        known: dict[tuple[str, ...], list[tuple[str, ...]]] = {
            (): [()],
            ("actor",): [(actor,) for actor in (*self.actors, UNKNOWN_ACTOR)],
            ("queue",): [(queue,) for queue in self.queues],
            ("source",): [(source,) for source in self.sources],
            ("source", "outcome"): [(source, each) for source in self.sources for each in CHECK_OUTCOMES],
            ("source", "fault"): [(source, each) for source in self.sources for each in POLL_FAULTS],
            ("outcome",): [(outcome,) for outcome in DELIVERY_OUTCOMES],
            ("breaker", "to"): [(name, to) for name in self.breakers for to in BREAKER_STATES],
            ("class",): [(name,) for name in self.request_classes],
            ("role",): [(role,) for role in self.roles],
        }
        return known[names]


def gauges_of(
    state: SystemSnapshot, labels: Labels, notifications: Callable[[], Mapping[str, int]], jobs: Jobs
) -> Iterator[Read]:
    """Return a reader of each group of gauges; `notifications` reads how many there are by state."""
    yield _build
    for read in (_checks, _queues, _breakers, _runs, _lease, _sources, _budgets, _outbox, _disk, _backup):
        yield partial(read, state)
    yield partial(_processes, state, labels.actors)
    yield partial(_pauses, state, labels.breakers)
    yield lambda: _notifications(notifications())
    yield partial(_jobs, jobs, state.now, labels.job_kinds)


def gauge(name: str, help_text: str, samples: Iterable[tuple[dict[str, str], float]]) -> Metric:
    """Return a gauge from labels and values."""
    family = Metric(name, help_text, "gauge")
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family


def _at(name: str, help_text: str, moment: datetime | None) -> Metric:
    """Return a gauge of a time, without a sample if there is none."""
    known = [] if moment is None else [moment.timestamp()]
    return gauge(f"rollcall_{name}_timestamp_seconds", help_text, [({}, seconds) for seconds in known])


def _build() -> Iterator[Metric]:
    yield gauge("rollcall_build_info", "The running version", [({"version": version("rollcall")}, 1)])


def _checks(state: SystemSnapshot) -> Iterator[Metric]:
    found = findings(state)
    severities = {check.name: Severity.HEALTHY for check in CHECKS}
    for finding in found:
        severities[finding.check.name] = max(severities[finding.check.name], finding.severity)
    yield gauge(
        "rollcall_check_severity",
        "Severity of each check: 0 healthy, 1 degraded, 2 unhealthy or unreadable",
        [({"check": name}, float(severity)) for name, severity in severities.items()],
    )
    yield gauge(
        "rollcall_check_failing",
        "1 for each subject that fails its check",
        [(_subject(finding), finding.failure is not None) for finding in found if finding.is_about_subject],
    )
    late = [finding.failure is not None for finding in found if finding.name == "runs/late"]
    yield gauge("rollcall_runs_late", "1 when no run has succeeded in two intervals", [({}, x) for x in late])


def _subject(finding: Finding) -> dict[str, str]:
    return {"check": finding.check.name, "subject": finding.result.subject}


def _queues(state: SystemSnapshot) -> Iterator[Metric]:
    queues = required(state.queues).items()
    yield gauge("rollcall_queue_depth", "Unfinished messages", [({"queue": n}, q.depth) for n, q in queues])
    yield gauge(
        "rollcall_dead_letters", "Dead letters in the broker", [({"queue": n}, q.dead) for n, q in queues]
    )
    ages = [({"queue": name}, q.oldest_age_seconds or 0) for name, q in queues if q.is_age_known]
    yield gauge("rollcall_queue_oldest_age_seconds", "Age of the oldest message that waits", ages)


def _breakers(state: SystemSnapshot) -> Iterator[Metric]:
    breakers = required(state.breakers)
    states = [
        ({"breaker": breaker.name, "state": each}, float(breaker.state == each))
        for breaker in breakers
        for each in BREAKER_STATES
    ]
    yield gauge("rollcall_breaker_state", "1 for the state that the breaker is in", states)
    forced = [({"breaker": breaker.name}, float(breaker.forced is not None)) for breaker in breakers]
    yield gauge("rollcall_breaker_forced", "1 while an operator holds the breaker", forced)


def _runs(state: SystemSnapshot) -> Iterator[Metric]:
    runs = required(state.runs)
    times, modes = runs.times, {"stagger": not runs.is_budgeted, "budget": runs.is_budgeted}
    samples = [({"mode": mode}, float(is_used)) for mode, is_used in modes.items()]
    yield gauge("rollcall_check_schedule", "1 for the schedule of section checks in use", samples)
    yield _at("oldest_section_check", "When the section that waits longest was checked", runs.oldest_check_at)
    yield _at("last_finished_run", "When the last run finished", times.finished_at)
    yield _at("last_successful_run", "When the last successful run finished", times.succeeded_at)


def _lease(state: SystemSnapshot) -> Iterator[Metric]:
    is_held = required(state.lease) is not None
    yield gauge("rollcall_cron_lease_held", "1 while a run is being dispatched", [({}, is_held)])


def _sources(state: SystemSnapshot) -> Iterator[Metric]:
    sources = required(state.sources)
    times = {name: source.last_success_at for name, source in sources.items()}
    answered = [({"source": name}, at.timestamp()) for name, at in times.items() if at is not None]
    yield gauge("rollcall_source_last_success_timestamp_seconds", "When a source last answered", answered)
    silent = [({"source": name}, source.silent_since is not None) for name, source in sources.items()]
    yield gauge("rollcall_source_silent", "1 when a watched source has not answered in two intervals", silent)


def _budgets(state: SystemSnapshot) -> Iterator[Metric]:
    budgets = required(state.budgets)
    made = [({"source": name}, float(budget.made)) for name, budget in budgets.items()]
    yield gauge("rollcall_catalog_requests_today", "Requests to the catalog's host on this UTC day", made)
    left = [({"source": name}, float(budget.left)) for name, budget in budgets.items()]
    yield gauge("rollcall_catalog_requests_left", "Requests that its daily limit still permits today", left)


def _outbox(state: SystemSnapshot) -> Iterator[Metric]:
    oldest = required(state.outbox).oldest_due_at
    age_seconds = 0.0 if oldest is None else max(0.0, (state.now - oldest).total_seconds())
    name = "rollcall_notifications_oldest_age_seconds"
    yield gauge(name, "How long the oldest unsent notification is due", [({}, age_seconds)])


def _notifications(by_state: Mapping[str, int]) -> Iterator[Metric]:
    samples = [({"state": state}, float(count)) for state, count in by_state.items()]
    yield gauge("rollcall_notifications", "Notifications by state", samples)


def _pauses(state: SystemSnapshot, names: Sequence[str]) -> Iterator[Metric]:
    required(state.pauses)
    samples = [({"name": name}, state.pause(name) is not None) for name in names]
    yield gauge("rollcall_paused", "1 while a source, or mail, is paused", samples)


def _disk(state: SystemSnapshot) -> Iterator[Metric]:
    if (disk := required(state.disk)) is not None:
        yield gauge("rollcall_disk_free_bytes", "Free space of the home's file system", [({}, disk.free)])
        yield gauge("rollcall_disk_size_bytes", "Size of the home's file system", [({}, disk.total)])


def _backup(state: SystemSnapshot) -> Iterator[Metric]:
    backup = required(state.backup)
    at = None if backup is None or backup.file is None else backup.at
    yield _at("last_backup", "When a backup was last made", at)


def _processes(state: SystemSnapshot, names: Sequence[str]) -> Iterator[Metric]:
    processes = required(state.processes)
    alive = [({"role": role}, float(len(beats))) for role, beats in processes.items()]
    yield gauge("rollcall_processes_alive", "Processes with a recent heartbeat", alive)
    memory = [
        ({"role": role}, sum(float(beat.facts.get(MEMORY, 0)) for beat in beats))
        for role, beats in processes.items()
    ]
    yield gauge("rollcall_process_resident_memory_bytes", "Memory of all processes of a role", memory)
    yield _at("scheduler_last_tick", "When the scheduler last finished its tick", state.last_tick_at)
    threads = [thread for beats in processes.values() for beat in beats for thread in beat.threads]
    in_flight = Counter(thread.task.actor for thread in threads if thread.task is not None)
    flying = [({"actor": actor}, float(in_flight[actor])) for actor in names]
    yield gauge("rollcall_messages_in_flight", "Messages that workers process", flying)
    yield gauge("rollcall_worker_threads", "Threads that process messages", [({}, float(len(threads)))])


def _jobs(jobs: Jobs, now: datetime, names: Sequence[str]) -> Iterator[Metric]:
    counts = Counter(jobs.counts())
    kinds = sorted({*names, *(kind for kind, _ in counts)})
    samples = [
        ({"kind": kind, "state": state}, float(counts[kind, state])) for kind in kinds for state in JobState
    ]
    yield gauge("rollcall_jobs", "Stored jobs by kind and state", samples)
    ages = [({"queue": queue}, age or 0.0) for queue, age in oldest_job_age_seconds(jobs, now).items()]
    yield gauge("rollcall_job_queue_oldest_age_seconds", "How long the oldest queued job waits", ages)


def oldest_job_age_seconds(jobs: Jobs, now: datetime) -> dict[str, float | None]:
    """Return the age of the oldest queued job of each profile; None where none is queued."""
    ages = {profile: (now - at).total_seconds() for profile, at in jobs.oldest_queued_at().items()}
    return {profile.value: max(0.0, ages[profile]) if profile in ages else None for profile in Profile}
