from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from domain.check import Severity
from store import migrate
from store.database import Database
from store.doctor_probes import probe_integrity, probe_migrations, probe_server, remedy
from tests.support.postgres import PostgresServer, require_binaries, running


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running(require_binaries()) as server:
        yield server


def upgrade(url: str) -> None:
    with closing(Database(url)) as database:
        migrate.upgrade(database)


def test_postgresql_is_examined_too(postgres: PostgresServer) -> None:
    postgres.create("well")
    url = postgres.url("well")
    empty = probe_migrations(url).failure
    assert empty is not None
    assert empty.command == "rollcall init"
    upgrade(url)
    assert probe_server(url).note.startswith("PostgreSQL ")
    assert [probe(url).failure for probe in (probe_server, probe_migrations, probe_integrity)] == [None] * 3


def test_a_server_that_is_down_is_named_without_its_password() -> None:
    found = probe_server("postgresql+psycopg://rollcall:hidden-password@127.0.0.1:1/rollcall")
    assert found.severity is Severity.UNHEALTHY
    assert found.failure is not None
    assert found.failure.command == "start PostgreSQL at 127.0.0.1:1/rollcall, or correct DATABASE_URL"
    assert "hidden-password" not in str(found)


def sqlite_error(code: int) -> DBAPIError:
    original = sqlite3.OperationalError("an error")
    original.sqlite_errorcode = code
    return DBAPIError("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (sqlite3.SQLITE_FULL, "free space on the disk of {folder}"),
        (sqlite3.SQLITE_CORRUPT, "rollcall restore FILE --replace"),
        (sqlite3.SQLITE_NOTADB, "rollcall restore FILE --replace"),
        (sqlite3.SQLITE_BUSY, "wait for, or stop, the process that locks {folder}/rollcall.db"),
        (sqlite3.SQLITE_CANTOPEN, "let this user read and write {folder}/rollcall.db and its folder"),
        (sqlite3.SQLITE_IOERR, "let this user read and write {folder}/rollcall.db and its folder"),
    ],
)
def test_only_a_damaged_file_suggests_a_restore(tmp_path: Path, code: int, command: str) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'rollcall.db'}")
    assert remedy(url, sqlite_error(code)) == command.format(folder=tmp_path)


def test_a_file_that_is_no_database_is_to_be_restored(tmp_path: Path) -> None:
    path = tmp_path / "rollcall.db"
    path.write_bytes(b"no database, however long it may be" * 100)
    found = probe_server(f"sqlite:///{path}")
    assert found.failure is not None
    assert (found.severity, found.failure.command) == (Severity.UNHEALTHY, "rollcall restore FILE --replace")


def test_a_server_that_takes_no_writes_fails(postgres: PostgresServer) -> None:
    postgres.create("readonly")
    upgrade(postgres.url("readonly"))
    found = probe_server(postgres.url("readonly") + "&options=-c%20default_transaction_read_only%3Don")
    assert found.failure is not None
    assert "read-only transaction" in found.failure.subject
