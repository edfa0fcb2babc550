"""Injects faults into a running stack: kills its roles, kills Redis, flushes Redis."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock, Thread

import psutil

from bench.chaos.recovery import Recoveries
from bench.programs import Programs
from bench.replay.server import ReplayServer
from bench.valkey import Valkey

ROLES = ("worker", "scheduler", "web")
AWAIT_WORK_SECONDS = 3.0
POLL_SECONDS = 0.05
_DOWN_SECONDS = 0.5
FLUSH_WAIT_SECONDS = 5.0
_AFTER_ANSWERS = (0, 3, 20, 45)
_TITLE = re.compile(r"rollcall:? (worker|scheduler|web)\b")


@dataclass(frozen=True, slots=True)
class FaultSchedule:
    """The intervals of the faults in seconds; 0 disables a fault.

    Kills come in bursts: each role once, in random order, `kill_seconds` apart; then none for `calm_seconds`.
    The supervisor backs off from a role that ends within 30 s of its start.
    """

    kill_seconds: float = 3.0
    calm_seconds: float = 30.0
    restart_seconds: float = 100.0
    flush_seconds: float = 70.0
    seed: int = 0


@dataclass(slots=True)
class FaultInjector:
    """Injects faults by `schedule`. Shape: `injected` counts by role, "redis" and "flush".

    Half of the worker's kills wait, for up to `AWAIT_WORK_SECONDS`, until it has unacknowledged messages. If
    all of them did, without calm intervals, the worker could never finish one.
    """

    programs: Programs
    valkey: Valkey
    recoveries: Recoveries
    schedule: FaultSchedule
    injected: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inject faults, and measure recoveries, during the block."""
        done = Event()
        threads = [Thread(target=work, args=(done,), daemon=True) for work in (self._inject, self._watch)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _inject(self, done: Event) -> None:
        schedule, kills = self.schedule, self._kills()
        faults = [
            _PeriodicFault(schedule.restart_seconds, self._restart),
            _PeriodicFault(schedule.flush_seconds, self._flush),
            _PeriodicFault(schedule.kill_seconds, lambda: next(kills)),
        ]
        while not done.wait(POLL_SECONDS):
            for fault in faults:
                fault.inject_when_due()

    def _kills(self) -> Iterator[float]:
        """Kill one role at each step; the seconds until the next."""
        random = Random(self.schedule.seed)  # noqa: S311 - a schedule, not a secret
        while True:
            order = random.sample(ROLES, len(ROLES))
            for role in order:
                self._kill(role, awaits_work=random.choice((True, False)))
                yield self.schedule.kill_seconds + (self.schedule.calm_seconds if role == order[-1] else 0)

    def _watch(self, done: Event) -> None:
        while not done.wait(POLL_SECONDS):
            self.recoveries.update()

    def _kill(self, role: str, *, awaits_work: bool) -> None:
        if role == "worker" and awaits_work:
            self._await_work()
        found = [process for process in self.programs.processes("up") if _role_of(process) == role]
        for process in found:
            process.kill()
            self.injected[role] += 1
        if role == "worker" and found:
            psutil.wait_procs(found, timeout=1)
            self.recoveries.record_kill()

    def _await_work(self) -> None:
        end = time.monotonic() + AWAIT_WORK_SECONDS
        while not self.recoveries.has_work_at_risk() and time.monotonic() < end:
            time.sleep(0.01)

    def _restart(self) -> float:
        self.valkey.kill()
        self.recoveries.discard()
        time.sleep(_DOWN_SECONDS)
        self.valkey.start()
        self.injected["redis"] += 1
        return self.schedule.restart_seconds

    def _flush(self) -> float:
        self.valkey.flush()
        self.recoveries.discard()
        self.injected["flush"] += 1
        return self.schedule.flush_seconds


@dataclass(slots=True)
class RedisFlusher:
    """Flushes Redis at a random moment: at once, or after some more responses of the scraper."""

    valkey: Valkey
    server: ReplayServer
    random: Random
    flushes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def flush(self) -> None:
        """Wait for the moment, at most `FLUSH_WAIT_SECONDS`, and flush Redis. Thread-safe."""
        answers, end = self.server.answers, time.monotonic() + FLUSH_WAIT_SECONDS
        moment = answers.total() + self.random.choice(_AFTER_ANSWERS)
        while answers.total() < moment and time.monotonic() < end:
            time.sleep(0.005)
        with self._lock:
            self.valkey.flush()
            self.flushes += 1


class _PeriodicFault:
    """Injects a fault after `first_seconds` (0: never); `inject` returns the seconds until the next."""

    def __init__(self, first_seconds: float, inject: Callable[[], float]) -> None:
        self._is_disabled = not first_seconds
        self._due_at = time.monotonic() + first_seconds
        self._inject = inject

    def inject_when_due(self) -> None:
        if not self._is_disabled and time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._inject()


def role_in(command: str) -> str | None:
    """The role of a process with this command line: by its title or, before that is set, by its arguments."""
    title = _TITLE.search(command)
    return title.group(1) if title else None


def _role_of(process: psutil.Process) -> str | None:
    try:
        return role_in(" ".join(process.cmdline()))
    except psutil.NoSuchProcess:
        return None
