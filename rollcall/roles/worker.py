"""The worker: one process that carries out messages with a few threads.

Several worker processes under one supervisor.
"""

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
STOP_MS = 20_000  # below the supervisor's patience, and systemd's
_POLL_MS = 200


def run(
    queues: Sequence[str] = (), threads: int = THREADS, overrides: Mapping[str, str] | None = None
) -> None:
    """Work off `queues` (all when none is named) until SIGTERM; what is in hand then is finished or kept."""
    unknown = [queue for queue in queues if queue not in WORKER_QUEUES]
    if unknown:
        known = f"there are {', '.join(WORKER_QUEUES)}; or realtime and batch, by themselves"
        raise ConfigurationError({"--queues": f"unknown {', '.join(unknown)}; {known}"})
    # Dramatiq reads it at import. More than a thread can take up at once would only keep it from others.
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
    """Run `processes` workers until SIGTERM; the exit code."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    arguments = ["--processes", "1", "--threads", str(threads)]
    arguments += ["--queues", ",".join(queues)] if queues else []
    workers = [role_child("worker", *arguments, environment=os.environ) for _ in range(processes)]
    return Supervisor(workers, stopped).run(lambda: False, lambda: None)
