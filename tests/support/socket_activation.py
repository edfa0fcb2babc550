"""`rollcall web` with socket activation and readiness notification, as under systemd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.stack import environment

START_SECONDS = 60
STOP_SECONDS = 30
_START = 'LISTEN_PID=$$ exec "$0" -m rollcall web 3<&"$LISTENING"'


class SocketActivatedWeb:
    """The web role; requests to `url` wait in the socket while the role is down."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._home = home
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(home / "notify"))
        self._notifications.settimeout(START_SECONDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = environment(
            home,
            LISTEN_FDS="1",
            LISTENING=str(self._listening.fileno()),
            NOTIFY_SOCKET=str(home / "notify"),
            **settings,
        )
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def start(self) -> None:
        """Return when it has notified that it is ready."""
        with (self._home / "web.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", _START, sys.executable],
                env=self._environment,
                cwd=self._home,
                pass_fds=[self._listening.fileno()],
                stdout=log,
                stderr=log,
            )
        while self._notifications.recv(64) != b"READY=1":
            assert self._process.poll() is None, (self._home / "web.log").read_text()

    def stop(self) -> int:
        """Stop it as systemd does; its exit code."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)
        return self._process.wait(timeout=STOP_SECONDS)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._listening.close()
        self._notifications.close()


@contextmanager
def socket_activated_web(home: Path, **settings: str) -> Iterator[SocketActivatedWeb]:
    """A web role that serves for the length of the block."""
    home.mkdir(mode=0o700, exist_ok=True)
    web = SocketActivatedWeb(home, **settings)
    try:
        web.start()
        yield web
    finally:
        web.close()
