from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from domain.errors import InvalidInputError
from rollcall import systemd
from rollcall.sockets import inherited_socket

_SERVE_ONE = """
from rollcall.sockets import inherited_socket
connection, _ = inherited_socket().accept()
connection.sendall(b"served")
"""


@pytest.fixture
def notify_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_systemd_is_reported_that_we_are_ready_and_alive(notify_socket: socket.socket) -> None:
    systemd.ready()
    systemd.alive()
    assert [notify_socket.recv(64), notify_socket.recv(64)] == [b"READY=1", b"WATCHDOG=1"]


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"rollcall-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        systemd.ready()
        assert listening.recv(64) == b"READY=1"


def test_nothing_happens_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS"):
        monkeypatch.delenv(name, raising=False)
    systemd.ready()
    assert inherited_socket() is None


def test_a_role_that_waits_is_ready_until_it_is_stopped(notify_socket: socket.socket) -> None:
    stopped = Event()
    Timer(0.01, stopped.set).start()
    systemd.wait(stopped)
    assert notify_socket.recv(64) == b"READY=1"


def test_a_socket_for_another_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert inherited_socket() is None


def test_more_tha_one_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    with pytest.raises(InvalidInputError, match="one socket"):
        inherited_socket()


def test_the_socket_of_the_unit_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        start = f'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" -c "$1" 3<&{number}'
        command = ["bash", "-c", start, sys.executable, _SERVE_ONE]
        with (
            subprocess.Popen(command, pass_fds=[number]) as process,
            socket.create_connection(listening.getsockname(), timeout=30) as client,
        ):
            assert client.recv(64) == b"served"
            assert process.wait(timeout=30) == 0
