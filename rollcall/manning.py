"""Prometheus metrics of live processes: their number, threads, and work in progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import Metric

from actors import ACTORS
from observability.metrics import gauge
from operations.status import ROLES
from resilience.heartbeats import TICKED_AT, Heartbeat
from rollcall.heartbeat import MEMORY
from rollcall.wiring import System


def process_metrics(system: System) -> Iterator[Metric]:
    """Return the metrics of all processes, from one read of the heartbeats."""
    crews = {role: system.heartbeats.alive(role) for role in ROLES}
    alive = [({"role": role}, float(len(crew))) for role, crew in crews.items()]
    yield gauge("rollcall_processes_alive", "Processes whose heart beats", alive)
    memory = [({"role": role}, sum(_facts(crew, MEMORY))) for role, crew in crews.items()]
    yield gauge("rollcall_process_resident_memory_bytes", "Memory of all processes of a role", memory)
    ticks = _facts(crews["scheduler"], TICKED_AT)
    last = [max(ticks)] if ticks else []
    yield gauge(
        "rollcall_scheduler_last_tick_timestamp_seconds",
        "When the scheduler last gave back and published what was due",
        [({}, at) for at in last],
    )
    yield from _threads([member for crew in crews.values() for member in crew])


def _threads(everybody: Sequence[Heartbeat]) -> Iterator[Metric]:
    threads = [thread for member in everybody for thread in member.threads]
    tasks = Counter(thread.task.actor for thread in threads if thread.task is not None)
    in_flight = [({"actor": spec.name}, float(tasks[spec.name])) for spec in ACTORS]
    yield gauge("rollcall_messages_in_flight", "Messages in the hands of workers", in_flight)
    yield gauge("rollcall_worker_slots", "Threads that work on messages", [({}, float(len(threads)))])


def _facts(crew: Sequence[Heartbeat], name: str) -> list[float]:
    return [float(member.facts[name]) for member in crew if name in member.facts]
