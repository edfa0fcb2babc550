"""A real PgBouncer before a PostgreSQL server, reached by its unix socket only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import IDENTITY, USER, PostgresServer

_PORT = 6432
_START_SECONDS = 20
_CONFIGURATION = """
[databases]
* = host={server} user={user}

[pgbouncer]
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
default_pool_size = 3
max_client_conn = 100
"""


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """A running pooler; three connections to the server stand for all of its clients."""

    folder: Path

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`, through the pooler."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}&port={_PORT}"

    def ping(self) -> None:
        address = f"host={self.folder} port={_PORT} user={USER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as client:
            client.execute("SELECT 1")


def require_pgbouncer() -> str:
    """The program; where there is none the test is skipped, or fails where nothing may be skipped."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    reason = "no PgBouncer here (Debian: apt-get install pgbouncer)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def pooling(server: PostgresServer, mode: str = "transaction") -> Iterator[PgBouncer]:
    """A pooler before `server` for the length of the block."""
    program = require_pgbouncer()
    with tempfile.TemporaryDirectory(prefix="rollcall-pgb-", dir="/tmp") as name:
        folder = Path(name)
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            _CONFIGURATION.format(server=server.folder, user=USER, port=_PORT, folder=folder, mode=mode)
        )
        if os.geteuid() == 0:
            for path in (folder, configuration):
                shutil.chown(path, USER, USER)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, str(configuration)], cwd=folder, stdout=log, stderr=log, **IDENTITY
            )
        try:
            pooler = PgBouncer(folder)
            _wait_until_ready(pooler, process)
            yield pooler
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_START_SECONDS)


def _wait_until_ready(pooler: PgBouncer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            pooler.ping()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"PgBouncer did not start: {(pooler.folder / 'log').read_text()}")
