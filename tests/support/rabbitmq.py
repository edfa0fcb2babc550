"""A real RabbitMQ server for tests, alone in a folder and on ports of its own, on the loopback only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.stack import free_port

START_SECONDS = 60
STOP_SECONDS = 20
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on the path becomes another user first


def require_server() -> Path:
    """The program; where there is none the test is skipped, or fails where nothing may be skipped."""
    if _SERVER.exists():
        return _SERVER
    reason = "no RabbitMQ server here (Debian: apt-get install rabbitmq-server)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(server: Path) -> Iterator[str]:
    """The URL of a server that is up for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="rollcall-rabbit-") as name:
        folder, port = Path(name), free_port()
        environment = _environment(folder, port)
        with (folder / "output").open("wb") as log:
            process = subprocess.Popen(
                [str(server)], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait_until_listening(process, port, folder / "output")
            yield f"amqp://guest:guest@127.0.0.1:{port}/"
        finally:
            _stop(process, environment)


def _environment(folder: Path, port: int) -> dict[str, str]:
    (folder / "plugins").write_text("[].")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RABBITMQ_NODENAME": "rollcall@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        # Erlang's name server is shared by a machine's nodes; this one is ours alone.
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"RabbitMQ did not start: {log.read_text()}")


def _stop(process: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    command = ["epmd", "-relaxed_command_check", "-kill"]
    subprocess.run(command, env=environment, capture_output=True, check=True)
