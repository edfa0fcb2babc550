"""The real system as processes: `rollcall` commands in a home of their own, steered over HTTP."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

CRON_SECRET = "a cron secret for tests"
API_TOKEN = "an API token for tests!"
DEADLINE_SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def install(home: Path) -> Path:
    """Mark `home` as the folder of an installation, which only `rollcall init` and `up` make."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "secrets").mkdir(mode=0o700, exist_ok=True)
    return home


def environment(home: Path, **settings: str) -> dict[str, str]:
    """An environment with nothing of the caller's but what a process needs, and `settings`.

    The home holds an installation, as after `rollcall init`.
    """
    install(home)
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    secrets = {"CRON_SECRET": CRON_SECRET, "API_TOKEN": API_TOKEN}
    return kept | secrets | {"ROLLCALL_HOME": str(home), "HOME": str(home)} | settings


def wait_until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for `condition`, or fail and say that `what` did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.05)


class Stack:
    """`rollcall up`, and how to speak to it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.port = free_port()
        self.host = settings.get("HOST", "127.0.0.1")
        self.home = home
        self.log = home.parent / f"{home.name}.log"
        # `up` replaces PORT. As the first variable it is where the titles of the roles are found from.
        self._environment = {"PORT": str(self.port)} | environment(home, **settings)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *wrapper: str) -> None:
        """Start it, by the command `wrapper` if there is one; return when it is ready."""
        with self.log.open("ab") as log:
            command = [*wrapper, sys.executable, "-m", "rollcall", "up"]
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, cwd=self.home.parent
            )
        wait_until(self.is_ready, f"ready; its log ends with {self.log.read_text()[-2000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=40)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-4000:]
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def is_complete(self) -> bool:
        """Whether every role has a heartbeat: some start after the stack is ready."""
        alive = re.findall(r"^rollcall_processes_alive\{.*\} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return bool(alive) and all(map(float, alive))

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url(path), headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=10)

    def post(self, path: str, content: bytes = b"", type: str | None = None) -> httpx.Response:  # noqa: A002
        secret = CRON_SECRET if path.startswith("/cron") else API_TOKEN
        headers = {"Authorization": f"Bearer {secret}"} | ({} if type is None else {"Content-Type": type})
        return httpx.post(self.url(path), headers=headers, content=content, timeout=10)

    def url(self, path: str) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}{path}"

    def processes(self) -> dict[str, psutil.Process]:
        """Every child by its role, as its title says."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        return {
            " ".join(child.cmdline()): child for child in children if child.status() != psutil.STATUS_ZOMBIE
        }

    def role(self, name: str) -> psutil.Process:
        """The process of a role, as soon as it bears its title: the web role starts before the others."""
        found: list[psutil.Process] = []

        def has_begun() -> bool:
            titles = self.processes().items()
            found.extend(process for title, process in titles if title.startswith(f"rollcall: {name}"))
            return bool(found)

        wait_until(has_begun, f"a {name}")
        return found[0]


@contextmanager
def stack(home: Path, settings: Mapping[str, str]) -> Iterator[Stack]:
    """A running stack, stopped at the end."""
    found = Stack(home, **settings)
    try:
        found.start()
        yield found
    finally:
        if found.is_running:
            found.stop()
