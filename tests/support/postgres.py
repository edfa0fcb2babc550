"""A real PostgreSQL server for tests, alone in a folder of its own, reached by its unix socket only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psycopg
import pytest

START_SECONDS = 30
STOP_SECONDS = 20
USER = "postgres"
# The server's data need not survive a crash of the machine.
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class _Identity(TypedDict, total=False):
    user: str
    group: str
    extra_groups: list[str]


# PostgreSQL and PgBouncer refuse to run as root.
IDENTITY: _Identity = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. Its superuser is `postgres` and needs no password: only its folder leads to it."""

    folder: Path

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def create(self, name: str) -> None:
        """Make the database `name`, without any table."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')

    def empty(self, name: str, tables: Iterable[str]) -> None:
        """Remove every row of `tables`; fails where somebody left a transaction open."""
        listed = ", ".join(f'"{table}"' for table in tables)
        self._execute(f"SET lock_timeout = '5s'; TRUNCATE {listed} RESTART IDENTITY CASCADE", database=name)

    def drop(self, name: str) -> None:
        """Remove the database `name`, and end its connections."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def ping(self) -> None:
        self._execute("SELECT 1")

    def _execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(host=str(self.folder), user=USER, dbname=database, autocommit=True) as admin:
            admin.execute(statement.encode())


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL of this machine, or None when there is none."""
    named = os.environ.get("ROLLCALL_TEST_POSTGRES_BIN")
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    found = [Path(named)] if named else [Path(on_path).parent] if on_path else [p.parent for p in debian]
    return found[-1] if found else None


def require_binaries() -> Path:
    """As `binaries`; where there are none the test is skipped, or fails where nothing may be skipped."""
    found = binaries()
    if found is not None:
        return found
    reason = "no PostgreSQL server here (Debian: apt-get install postgresql)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(folder_of_binaries: Path) -> Iterator[PostgresServer]:
    """A server that is up for the length of the block."""
    # The path of a unix socket may have no more than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rollcall-pg-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        _make_cluster(folder_of_binaries, folder)
        process = _start(folder_of_binaries, folder)
        try:
            server = PostgresServer(folder)
            _wait_until_ready(server, process)
            yield server
        finally:
            _stop(process)


def _make_cluster(folder_of_binaries: Path, folder: Path) -> None:
    options = ["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust", f"--username={USER}"]
    made = subprocess.run(
        [str(folder_of_binaries / "initdb"), *options, "-D", str(folder / "data")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **IDENTITY,
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr}")


def _start(folder_of_binaries: Path, folder: Path) -> subprocess.Popen[bytes]:
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [str(folder_of_binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *settings]
    log = (folder / "log").open("wb")
    with log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **IDENTITY)


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.ping()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {(server.folder / 'log').read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _version(initdb: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in initdb.parent.parent.name.split(".") if part.isdecimal())
