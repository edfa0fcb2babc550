"""The processes of a benchmark: started with a log, awaited, and stopped with their children."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import psutil

START_SECONDS = 60.0
STOP_SECONDS = 30.0
TAIL_LINES = 30
Found = TypeVar("Found")


class ProgramError(Exception):
    """A program did not start, died, or did not stop; the message ends with the tail of its log."""


def poll(
    read: Callable[[], Found | None], *, seconds: float, pause_seconds: float = 0.02, what: str = ""
) -> Found:
    """The first answer of `read` that is not None. Raises: TimeoutError, naming `what`, after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if (found := read()) is not None:
            return found
        if time.monotonic() >= end:
            raise TimeoutError(f"{what or 'the condition'} did not come true within {seconds:g} s")
        time.sleep(pause_seconds)


def free_port() -> int:
    """A TCP port of loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_on_sigterm() -> None:
    """Let SIGTERM unwind this process, as Ctrl-C does, so that what it started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Programs:
    """The processes of one benchmark. Leaving the `with` block stops them, the last one started first.

    An error in the block prints the tail of every log to standard error.
    """

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: dict[str, psutil.Popen] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ProgramError):
            print(*map(self.tail, self._running), sep="\n", file=sys.stderr)
        unstopped = [name for name in reversed(self._running) if not _stop(self._running[name])]
        if unstopped:
            raise ProgramError(
                f"not stopped {STOP_SECONDS:g} s after SIGTERM: {', '.join(unstopped)}"
            ) from error

    def start(
        self, name: str, command: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str]
    ) -> None:
        """Start `command` in `folder` with exactly `environment`; its output goes to the log `name`."""
        with self._log(name).open("ab") as log:
            self._running[name] = psutil.Popen(
                command, cwd=folder, env=dict(environment), stdout=log, stderr=subprocess.STDOUT
            )

    def wait_for(self, name: str, url: str) -> None:
        """Return once `url` of the program `name` answers 200.

        Raises: ProgramError when the program ends, or does not answer within `START_SECONDS`.
        """
        try:
            poll(lambda: self._answers(url), seconds=START_SECONDS, pause_seconds=0.05, what=url)
        except TimeoutError as error:
            raise ProgramError(f"{error}\n{self.tail(name)}") from error

    def kill(self, name: str) -> None:
        """End the program `name` with SIGKILL; it may be started again."""
        program = self._running.pop(name)
        program.kill()
        program.wait()

    def require_running(self) -> None:
        """Raises: ProgramError for a program that has ended."""
        for name, program in self._running.items():
            if program.poll() is not None:
                raise ProgramError(f"{name} ended with {program.returncode}\n{self.tail(name)}")

    def processes(self, *names: str) -> list[psutil.Process]:
        """The living processes of the programs `names` (of all, without one), with their descendants."""
        roots = [self._running[name] for name in names or self._running]
        return [process for root in roots for process in _tree(root) if _is_alive(process)]

    def tail(self, name: str) -> str:
        """The last lines of the log of `name`."""
        lines = self._log(name).read_text(errors="replace").splitlines()
        return "\n".join([f"-- {self._log(name)}:", *lines[-TAIL_LINES:]])

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _answers(self, url: str) -> bool | None:
        self.require_running()
        try:
            return httpx.get(url, timeout=5).status_code == httpx.codes.OK or None
        except httpx.TransportError:
            return None


def _stop(root: psutil.Popen) -> bool:
    processes = _tree(root)
    if root.poll() is None:
        root.terminate()
    end = time.monotonic() + STOP_SECONDS
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < end:
        time.sleep(0.02)
    for process in alive:
        process.kill()
    root.wait()
    return not alive


def _tree(root: psutil.Popen) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [root]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
