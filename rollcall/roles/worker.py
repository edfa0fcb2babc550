"""The worker role: one process with a few threads, or several processes under one supervisor."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from threading import Event

from actors import WORKER_ACTORS, WORKER_QUEUES
from actors.registry import install
from domain.errors import ConfigurationError
from rollcall import systemd, upstreams
from rollcall.lookout import standing_in
from rollcall.process import role, stopping
from rollcall.supervisor import Supervisor, role_child

THREADS = 4
STOP_MS = 20_000  # below the stop timeouts of the supervisor and systemd
_POLL_MS = 200


def run(
    queues: Sequence[str] = (), threads: int = THREADS, overrides: Mapping[str, str] | None = None
) -> None:
    """Consume `queues` (all when none is named) until SIGTERM; running messages are finished or requeued."""
    unknown = [queue for queue in queues if queue not in WORKER_QUEUES]
    if unknown:
        known = f"there are {', '.join(WORKER_QUEUES)}; or realtime and batch, by themselves"
        raise ConfigurationError({"--queues": f"unknown {', '.join(unknown)}; {known}"})
    # Dramatiq reads it at import. Prefetching more than the threads can run would block other workers.
    os.environ.setdefault("dramatiq_queue_prefetch", str(threads))
    from dramatiq import Worker  # noqa: PLC0415 - after the line above

    with stopping() as stopped, role("worker", overrides) as system, standing_in(system):
        upstreams.adopt(system)
        install(system.broker, system.services, WORKER_ACTORS)
        worker = Worker(
            system.broker, queues=set(queues) or None, worker_threads=threads, worker_timeout=_POLL_MS
        )
        worker.start()
        systemd.wait(stopped)
        worker.stop(timeout=STOP_MS)


def run_pool(processes: int, threads: int, queues: Sequence[str]) -> int:
    """Run `processes` workers until SIGTERM; return the exit code."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    arguments = ["--processes", "1", "--threads", str(threads)]
    arguments += ["--queues", ",".join(queues)] if queues else []
    workers = [role_child("worker", *arguments, environment=os.environ) for _ in range(processes)]
    return Supervisor(workers, stopped).run(lambda: False, lambda: None)
