from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from rollcall.doctor.case import Case
from rollcall.doctor.database import CHECKS
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
    return {finding.id: finding for finding in examine(CHECKS, Case(parse({"DATABASE_URL": url})))}


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
