"""The worker role: one process with a few threads, and one more that polls catalogs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dramatiq import Worker

from actors import WORKER_ACTORS, WORKER_QUEUES
from actors.poll import poll
from actors.registry import install
from domain.errors import ConfigurationError
from rollcall import systemd, upstreams
from rollcall.alerting import fallback_alert_evaluation
from rollcall.process import role, stopping
from rollcall.wiring import System

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
    with stopping() as stopped, role("worker", overrides) as system, fallback_alert_evaluation(system):
        upstreams.adopt(system)
        install(system.broker, system.services, WORKER_ACTORS)
        # Polls take long: they have a thread of their own, and delay nothing else.
        wanted, polls = set(queues or WORKER_QUEUES), {poll.queue} if system.services.catalogs else set()
        shares = ((wanted - {poll.queue}, threads), (wanted & polls, 1))
        workers = [_worker(system, share, count) for share, count in shares if share]
        for worker in workers:
            worker.start()
        systemd.wait(stopped)
        for worker in workers:
            worker.stop(timeout=STOP_MS)


def _worker(system: System, queues: set[str], threads: int) -> Worker:
    worker = Worker(system.broker, queues=queues, worker_threads=threads, worker_timeout=_POLL_MS)
    worker.queue_prefetch = threads  # messages that no thread can run yet would be kept from other workers
    return worker
