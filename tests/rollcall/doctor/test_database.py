from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.database import CHECKS, remedy
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Finding, Status
from rollcall.settings import parse
from store import migrate
from store.database import Database
from tests.support.postgres import PostgresServer, require_binaries, running


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running(require_binaries()) as server:
        yield server


def look(url: str) -> dict[str, Finding]:
    return {
        finding.id: finding for finding in examine(CHECKS, InspectedSettings(parse({"DATABASE_URL": url})))
    }


def test_postgresql_is_examined_too(postgres: PostgresServer) -> None:
    postgres.create("well")
    assert look(postgres.url("well"))["database.migrations"].hint == "rollcall init"
    with closing(Database(postgres.url("well"))) as database:
        migrate.upgrade(database)
    found = look(postgres.url("well"))
    assert {finding.status for finding in found.values()} == {Status.OK}
    assert found["database"].seen.startswith("PostgreSQL ")


def test_a_server_that_is_down_is_named_without_its_password() -> None:
    found = look("postgresql+psycopg://rollcall:hidden-password@127.0.0.1:1/rollcall")
    assert found["database"].status is Status.FAILURE
    assert found["database"].hint == "start PostgreSQL at 127.0.0.1:1/rollcall, or correct DATABASE_URL"
    assert found["database.migrations"].hint == "mend database first"
    assert "hidden-password" not in str(found)


def sqlite_error(code: int) -> DBAPIError:
    original = sqlite3.OperationalError("an error")
    original.sqlite_errorcode = code
    return DBAPIError("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (sqlite3.SQLITE_FULL, "make room on the disk of {folder}"),
        (sqlite3.SQLITE_CORRUPT, "rollcall restore FILE --replace"),
        (sqlite3.SQLITE_NOTADB, "rollcall restore FILE --replace"),
        (sqlite3.SQLITE_BUSY, "wait for, or stop, the process that locks {folder}/rollcall.db"),
        (sqlite3.SQLITE_CANTOPEN, "let this user read and write {folder}/rollcall.db and its folder"),
        (sqlite3.SQLITE_IOERR, "let this user read and write {folder}/rollcall.db and its folder"),
    ],
)
def test_a_restore_is_named_for_a_damaged_file_alone(tmp_path: Path, code: int, hint: str) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'rollcall.db'}")
    assert remedy(url, sqlite_error(code)) == hint.format(folder=tmp_path)


def test_a_file_that_is_no_database_is_to_be_restored(tmp_path: Path) -> None:
    path = tmp_path / "rollcall.db"
    path.write_bytes(b"no database, however long it may be" * 100)
    found = look(f"sqlite:///{path}")
    assert (found["database"].status, found["database"].hint) == (
        Status.FAILURE,
        "rollcall restore FILE --replace",
    )


def test_a_server_that_takes_no_writes_fails(postgres: PostgresServer) -> None:
    postgres.create("readonly")
    with closing(Database(postgres.url("readonly"))) as database:
        migrate.upgrade(database)
    found = look(postgres.url("readonly") + "&options=-c%20default_transaction_read_only%3Don")
    assert found["database"].status is Status.FAILURE
    assert "read-only transaction" in found["database"].seen
