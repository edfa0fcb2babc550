"""Runs every role as a child process, restarts dead ones with back-off, and stops all together.

The children are forks of the supervisor, which imports what they share: most of that memory is held once.
The supervisor therefore starts no thread and opens no connection.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from threading import Event

from rollcall.cli.main import main

STOP_SECONDS = 25.0  # for all roles together; then they are killed
_TICK_SECONDS = 0.1
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.5, 30.0
_SETTLED_SECONDS = 5.0  # a role that lived this long does not fail at startup
_LEAST_STOP_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_fork = get_context("fork").Process
_say = partial(print, flush=True)  # immediately, also when the output is a file


@dataclass(slots=True)
class Child:
    """One supervised process, which runs `target`, and when it may be restarted."""

    name: str
    target: Callable[[], object]
    outlives_others: bool = False  # the others need it until they have stopped
    process: BaseProcess | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause_seconds: float = _FIRST_PAUSE_SECONDS

    def start(self) -> None:
        """Start the process; the kernel signals it when the supervisor dies."""
        self.started_at = time.monotonic()
        self.process = _fork(target=_run, args=(self.target, os.getpid()), name=self.name)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the child has handlers of its own
        self.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    @property
    def exit_code(self) -> int | None:
        """How the process ended, negative after a signal; None before its start and while it runs."""
        return None if self.process is None else self.process.exitcode

    def schedule_restart(self) -> None:
        """Forget the ended process and restart it after a pause, which grows until one lasts."""
        now = time.monotonic()
        if now - self.started_at > _SETTLED_SECONDS:
            self.pause_seconds = _FIRST_PAUSE_SECONDS
        self.restart_at = now + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, _LAST_PAUSE_SECONDS)
        self.process = None


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
        while not self.stopped.wait(_TICK_SECONDS) and code != os.EX_CONFIG:
            code = max((self._tend(child) for child in self.children), default=0)
            if not announced and is_ready():
                self._start_the_rest()
                when_ready()
                announced = True
        self.stop()
        return os.EX_CONFIG if code == os.EX_CONFIG else 0

    def stop(self) -> None:
        """Stop every child within `STOP_SECONDS`; those that the others need are stopped last."""
        deadline = time.monotonic() + STOP_SECONDS
        for is_last in (False, True):
            self._stop([child for child in self.children if child.outlives_others is is_last], deadline)

    def _stop(self, children: Sequence[Child], deadline: float) -> None:
        processes = [child.process for child in children if child.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            if not _has_ended(process, deadline):
                self.say(f"{process.name} did not stop in time and was killed")
                process.kill()

    def _start_the_rest(self) -> None:
        """Start the remaining children without a further delay."""
        for child in self.children:
            if child.process is None and not child.started_at:
                child.start()

    def _tend(self, child: Child) -> int:
        code = child.exit_code
        if code is not None:
            child.schedule_restart()
            if code != os.EX_CONFIG:
                self.say(f"{child.name} ended with {code} and starts again")
            return code if code == os.EX_CONFIG else 0
        if child.process is None and time.monotonic() >= child.restart_at:
            child.start()
        return 0


def role_child(name: str, *arguments: str, before: Callable[[], object] = lambda: None) -> Child:
    """Return the child that runs `rollcall name` after `before`."""
    return Child(name, partial(_run_role, before, name, *arguments))


def run_workers(processes: int, threads: int, queues: Sequence[str]) -> int:
    """Run `processes` workers until SIGTERM; return the exit code."""
    stopped = Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stopped.set())
    arguments = ["--processes", "1", "--threads", str(threads)]
    arguments += ["--queues", ",".join(queues)] if queues else []
    workers = [role_child("worker", *arguments) for _ in range(processes)]
    preload("rollcall.roles.worker")
    return Supervisor(workers, stopped).run(lambda: False, lambda: None)


def preload(*modules: str) -> None:
    """Import what the children share, and keep the garbage collector from writing to these pages."""
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()


def _has_ended(process: BaseProcess, deadline: float) -> bool:
    deadline = max(deadline, time.monotonic() + _LEAST_STOP_SECONDS)
    while process.exitcode is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_TICK_SECONDS / 4)
    return True


def _run_role(before: Callable[[], object], name: str, *arguments: str) -> None:
    before()
    main(name, *arguments)


def _run(target: Callable[[], object], parent: int) -> None:
    """Run `target` in a fork, with the signals and the session of a fresh process."""
    os.setsid()  # Ctrl-C reaches only the supervisor, which stops the children in order
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # the supervisor died before the call took effect
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    target()
