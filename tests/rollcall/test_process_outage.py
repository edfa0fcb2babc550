"""A database that is away, as it meets an operator at the command line."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from domain.errors import UnreachableError
from rollcall.process import describe_outage
from rollcall.settings import parse
from tests.support.commands import run
from tests.support.stack import free_port

PASSWORD = "hidden-password"


def away() -> str:
    return f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:{free_port()}/rollcall"


@pytest.mark.parametrize("words", ["watch ls", "init --quiet", "backup file.zip", "worker", "web"])
def test_a_database_that_is_unavailable_is_one_line_and_may_come_back(tmp_path: Path, words: str) -> None:
    done = run(tmp_path / "home", *words.split(), DATABASE_URL=away())
    assert done.returncode == 75
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("rollcall: the database cannot be reached: connection failed: ")
    assert line.endswith("Connection refused; see rollcall doctor")


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "rollcall.db").write_bytes(b"this is no database" * 100)
    done = run(tmp_path / "home", "cron", "ls")
    assert done.returncode == 75
    assert done.stderr.splitlines() == [
        "rollcall: the database cannot be reached: file is not a database; see rollcall doctor"
    ]


def test_the_status_is_unhealthy_where_nothing_can_be_read(tmp_path: Path) -> None:
    url = away()
    result = run(tmp_path / "home", "status", DATABASE_URL=url)
    assert (result.returncode, result.stderr) == (2, "")
    assert result.stdout.startswith("unhealthy: the database cannot be reached: ")
    read = run(tmp_path / "home", "status", "--json", DATABASE_URL=url)
    assert read.returncode == 2
    (document,) = json.loads(read.stdout)
    assert f"{document['health']}: {document['sentence']}\n" == result.stdout


def test_no_password_is_reported() -> None:
    quoting = sqlite3.OperationalError(f'"{PASSWORD}" is not welcome\nand more')
    with pytest.raises(UnreachableError) as caught, describe_outage(parse({"DATABASE_URL": away()})):
        raise OperationalError("SELECT 1", {}, quoting)
    assert str(caught.value) == ('the database cannot be reached: "***" is not welcome; see rollcall doctor')


def test_what_the_database_refuses_is_a_mistake_of_ours_and_stays_as_it_is() -> None:
    refusal = IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed"))
    with pytest.raises(IntegrityError), describe_outage(parse({})):
        raise refusal
