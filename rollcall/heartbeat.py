"""The heartbeat of a process: once a second it stores that it is alive, its facts, and its counts.

Errors that the next beat retries are only logged.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import redis

from domain.errors import UnreachableError
from observability.metrics_store import MetricsStore
from observability.recorders import CPU, STARTS, CounterTotals, Recorder
from resilience.heartbeats import DATABASE_ERROR, DATABASE_ERRORS, MEMORY, Heartbeats, ThreadTasks

_log = logging.getLogger(__name__)


def log_and_continue(work: Callable[[], object], message: str) -> None:
    """Run `work`; log an unreachable or refusing Redis (out of memory, say), because it is retried."""
    try:
        work()
    except (UnreachableError, redis.RedisError) as error:
        _log.warning(message, extra={"error": str(error)})


BEAT_SECONDS = 1.0
_STOP_SECONDS = 5.0
_STATM = Path("/proc/self/statm")


class HeartbeatThread:
    """The heartbeat of this process in Redis. `metrics` is the metrics store of the whole fleet."""

    def __init__(
        self,
        heartbeats: Heartbeats,
        metrics: MetricsStore,
        recorder: Recorder,
        threads: ThreadTasks,
        database_errors: Callable[[], tuple[int, str]] = lambda: (0, ""),
    ) -> None:
        self.metrics = metrics
        self._heartbeats = heartbeats
        self._recorder = recorder
        self._threads = threads
        self._database_errors = database_errors
        self._entries = CounterTotals(recorder, metrics.add)
        self._instance = f"{socket.gethostname()}:{os.getpid()}"
        self._facts = {"host": socket.gethostname(), "pid": str(os.getpid())}
        self._cpu_seconds = 0.0

    def set_fact(self, name: str, value: str) -> None:
        """Add a fact from the next beat on."""
        self._facts[name] = value

    def start(self, role: str) -> None:
        """Count the start of the process."""
        self._recorder.add(STARTS, role)

    def beat(self, role: str) -> None:
        """Store everything. After a Redis outage the next beat catches up."""
        spent_seconds = time.process_time()
        self._recorder.add_seconds(CPU, role, seconds=spent_seconds - self._cpu_seconds)
        self._cpu_seconds = spent_seconds
        facts = self._facts | _memory() | self._errors()
        log_and_continue(
            lambda: self._heartbeats.beat(role, self._instance, facts, self._threads.read()),
            "heartbeat not stored",
        )
        self.flush()

    def deregister(self, role: str) -> None:
        """Remove the process from Redis."""
        log_and_continue(lambda: self._heartbeats.leave(role, self._instance), "heartbeat not removed")

    def flush(self) -> None:
        """Flush the counts, if there are any."""
        log_and_continue(self._entries.flush, "counts not stored")

    def _errors(self) -> dict[str, str]:
        count, last = self._database_errors()
        return {DATABASE_ERRORS: str(count), DATABASE_ERROR: last} if count else {}


@contextmanager
def running_heartbeat(heartbeat: HeartbeatThread, role: str) -> Iterator[None]:
    """Beat from a thread until the end of the block."""
    done = Event()
    thread = Thread(target=_beat, args=(heartbeat, role, done), name="heartbeat", daemon=True)
    heartbeat.start(role)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=_STOP_SECONDS)


def _beat(heartbeat: HeartbeatThread, role: str, done: Event) -> None:
    heartbeat.beat(role)
    while not done.wait(BEAT_SECONDS):
        heartbeat.beat(role)
    heartbeat.deregister(role)


def _memory() -> dict[str, str]:
    """Return this process' memory use by the kernel; nothing where it is unavailable."""
    if not _STATM.exists():
        return {}
    pages = int(_STATM.read_text().split()[1])
    return {MEMORY: str(pages * os.sysconf("SC_PAGE_SIZE"))}
