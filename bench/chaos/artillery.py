"""What is done to the stack while it works: its roles are killed, Redis is killed, Redis is emptied."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread

import psutil

from bench.chaos.recovery import Recoveries
from bench.programs import Programs
from bench.valkey import Valkey

ROLES = ("worker", "scheduler", "web")
AIM_SECONDS = 3.0
LOOK_SECONDS = 0.05
_DOWN_SECONDS = 0.5
_TITLE = re.compile(r"rollcall:? (worker|scheduler|web)\b")


@dataclass(frozen=True, slots=True)
class Plan:
    """How often what happens, in seconds; 0 for never.

    Kills come in salvos: each role once, in an order of the dice, `kill_seconds` apart; then it is calm for
    `calm_seconds`. The supervisor lets a role that does not live for 30 s wait longer each time.
    """

    kill_seconds: float = 3.0
    calm_seconds: float = 30.0
    restart_seconds: float = 100.0
    wipe_seconds: float = 70.0
    seed: int = 0


@dataclass(slots=True)
class Artillery:
    """Fires by `plan` until told to stop. Shape: `fired` counts by role, "redis" and "wipe".

    Half of the shots at the worker wait, for up to `AIM_SECONDS`, until it has messages in hand. Would all of
    them, and without a calm, it could never finish one.
    """

    programs: Programs
    valkey: Valkey
    recoveries: Recoveries
    plan: Plan
    fired: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def firing(self) -> Iterator[None]:
        """Fire, and look at what recovers, during the block."""
        done = Event()
        threads = [Thread(target=work, args=(done,), daemon=True) for work in (self._fire, self._watch)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _fire(self, done: Event) -> None:
        plan, salvos = self.plan, self._salvos()
        guns = [
            _Gun(plan.restart_seconds, self._restart),
            _Gun(plan.wipe_seconds, self._wipe),
            _Gun(plan.kill_seconds, lambda: next(salvos)),
        ]
        while not done.wait(LOOK_SECONDS):
            for gun in guns:
                gun.fire_when_due()

    def _salvos(self) -> Iterator[float]:
        """Kill one role at each step; the seconds until the next."""
        dice = Random(self.plan.seed)  # noqa: S311 - it decides who dies, not what is secret
        while True:
            order = dice.sample(ROLES, len(ROLES))
            for role in order:
                self._kill(role, is_aimed=dice.choice((True, False)))
                yield self.plan.kill_seconds + (self.plan.calm_seconds if role == order[-1] else 0)

    def _watch(self, done: Event) -> None:
        while not done.wait(LOOK_SECONDS):
            self.recoveries.look()

    def _kill(self, role: str, *, is_aimed: bool) -> None:
        if role == "worker" and is_aimed:
            self._aim()
        found = [process for process in self.programs.processes("up") if _role_of(process) == role]
        for process in found:
            process.kill()
            self.fired[role] += 1
        if role == "worker" and found:
            psutil.wait_procs(found, timeout=1)
            self.recoveries.lose()

    def _aim(self) -> None:
        end = time.monotonic() + AIM_SECONDS
        while not self.recoveries.are_due() and time.monotonic() < end:
            time.sleep(0.01)

    def _restart(self) -> float:
        self.valkey.kill()
        self.recoveries.void()
        time.sleep(_DOWN_SECONDS)
        self.valkey.start()
        self.fired["redis"] += 1
        return self.plan.restart_seconds

    def _wipe(self) -> float:
        self.valkey.empty()
        self.recoveries.void()
        self.fired["wipe"] += 1
        return self.plan.wipe_seconds


class _Gun:
    """Fires for the first time after `first_seconds`, unless that is 0; `fire` says when to fire again."""

    def __init__(self, first_seconds: float, fire: Callable[[], float]) -> None:
        self._is_silent = not first_seconds
        self._due_at = time.monotonic() + first_seconds
        self._fire = fire

    def fire_when_due(self) -> None:
        if not self._is_silent and time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._fire()


def role_in(command: str) -> str | None:
    """The role of a process with this command line, by its title or, before it has one, by its arguments."""
    title = _TITLE.search(command)
    return title.group(1) if title else None


def _role_of(process: psutil.Process) -> str | None:
    try:
        return role_in(" ".join(process.cmdline()))
    except psutil.NoSuchProcess:
        return None
