"""Runs every role as a child process, restarts dead ones with back-off, and stops all together.

It imports as little as possible: it runs as long as the machine, and its memory is lost to the roles.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event

EX_CONFIG = 78
STOP_SECONDS = 25.0  # for all roles together; then they are killed
_TICK_SECONDS = 0.1
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.5, 30.0
_SETTLED_SECONDS = 5.0  # a role that lived this long does not fail at startup
_LAST_WORD_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_say = partial(print, flush=True)  # immediately, also when the output is a file


@dataclass(slots=True)
class Child:
    """One supervised process, and when it may be restarted."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    outlives_others: bool = False  # the others need it until they have stopped
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause_seconds: float = _FIRST_PAUSE_SECONDS

    def start(self) -> None:
        """Start the process; the kernel signals it when the supervisor dies."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - its own roles
            self.command,
            env=dict(self.environment),
            start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops the children in order
            preexec_fn=partial(_stop_with_parent, os.getpid()),  # noqa: PLW1509 - the supervisor has one thread
        )

    def has_died(self) -> bool:
        """Return whether it was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def bury(self) -> int:
        """Schedule its restart with growing back-off until one lasts; return how it ended."""
        process, now = self.process, time.monotonic()
        if process is None:
            raise RuntimeError(f"{self.name} has not been started")
        if now - self.started_at > _SETTLED_SECONDS:
            self.pause_seconds = _FIRST_PAUSE_SECONDS
        self.restart_at = now + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, _LAST_PAUSE_SECONDS)
        self.process = None
        return int(process.returncode)


@dataclass(slots=True)
class Supervisor:
    """Keeps `children` running until `stopped` is set, or one reports a configuration error."""

    children: list[Child]
    stopped: Event = field(default_factory=Event)
    say: Callable[[str], None] = _say

    def run(self, is_ready: Callable[[], bool], when_ready: Callable[[], None]) -> int:
        """Run until stopped; return the exit code. `when_ready` is called once, when all children are up."""
        announced = False
        code = 0
        while not self.stopped.wait(_TICK_SECONDS) and code != EX_CONFIG:
            code = max((self._tend(child) for child in self.children), default=0)
            if not announced and is_ready():
                self._start_the_rest()
                when_ready()
                announced = True
        self.stop()
        return EX_CONFIG if code == EX_CONFIG else 0

    def stop(self) -> None:
        """Stop every child within `STOP_SECONDS`; those that the others need are stopped last."""
        deadline = time.monotonic() + STOP_SECONDS
        for is_last in (False, True):
            self._stop([child for child in self.children if child.outlives_others is is_last], deadline)

    def _stop(self, children: Sequence[Child], deadline: float) -> None:
        for child in children:
            _signal(child, signal.SIGTERM)
        for child in children:
            if not _ended(child, deadline):
                self.say(f"{child.name} did not stop in time and was killed")
                _signal(child, signal.SIGKILL)

    def _start_the_rest(self) -> None:
        """Start the remaining children without a further delay."""
        for child in self.children:
            if child.process is None and not child.started_at:
                child.start()

    def _tend(self, child: Child) -> int:
        if child.has_died():
            code = child.bury()
            if code != EX_CONFIG:
                self.say(f"{child.name} ended with {code} and starts again")
            return code if code == EX_CONFIG else 0
        if child.process is None and time.monotonic() >= child.restart_at:
            child.start()
        return 0


def role_child(name: str, *arguments: str, environment: Mapping[str, str]) -> Child:
    """Return the child that runs `rollcall name`."""
    return Child(name, [sys.executable, "-m", "rollcall", name, *arguments], environment)


def run_workers(processes: int, threads: int, queues: Sequence[str]) -> int:
    """Run `processes` workers until SIGTERM; return the exit code."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    arguments = ["--processes", "1", "--threads", str(threads)]
    arguments += ["--queues", ",".join(queues)] if queues else []
    workers = [role_child("worker", *arguments, environment=os.environ) for _ in range(processes)]
    return Supervisor(workers, stopped).run(lambda: False, lambda: None)


def _signal(child: Child, number: int) -> None:
    if child.process is not None and child.process.poll() is None:
        child.process.send_signal(number)


def _ended(child: Child, deadline: float) -> bool:
    try:
        if child.process is not None:
            child.process.wait(max(_LAST_WORD_SECONDS, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # the supervisor died before the call took effect
