"""`rollcall breaker`, on a server of its own: the command knows one namespace."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domain.errors import InvalidInputError, UnreachableError
from rollcall.cli.main import rollcall
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import free_port, install

Command = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Command]:
    with running(valkey_binary()) as server:
        environment = {"ROLLCALL_HOME": str(install(tmp_path)), "REDIS_URL": server.url}

        def invoke(*words: str) -> Result:
            return CliRunner().invoke(rollcall, ["breaker", *words], env=environment)

        yield invoke


def test_the_history_reports_who_did_what_the_latest_first(run: Command) -> None:
    for words in (("open", "mail"), ("close", "campus"), ("reset", "mail")):
        assert run(*words).exit_code == 0
    result = json.loads(run("history", "--json").stdout)
    assert [(row["name"], row["action"], row["before"]) for row in result] == [
        ("mail", "reset", "open"),
        ("campus", "force_closed", "closed"),
        ("mail", "force_open", "closed"),
    ]
    assert {row["by"] for row in result} == {getpass.getuser()}
    of_mail = json.loads(run("history", "mail", "--json").stdout)
    assert of_mail == [row for row in result if row["name"] == "mail"]
    assert run("history", "campus").stdout.splitlines()[1].split()[0] == "campus"


def test_a_breaker_that_no_one_touched_has_no_history(run: Command) -> None:
    assert run("history").stdout == "No breaker was forced or reset.\n"
    assert json.loads(run("history", "--json").stdout) == []


def test_the_listing_reports_what_the_fleet_sees(run: Command) -> None:
    assert run("open", "mail").exit_code == 0
    listed = json.loads(run("ls", "--json").stdout)
    assert {(row["name"], row["state"], row["scope"]) for row in listed} == {
        ("campus", "closed", "fleet"),
        ("mail", "open", "fleet"),
    }


def test_without_redis_no_breaker_is_called_closed(tmp_path: Path) -> None:
    redis_url = f"redis://127.0.0.1:{free_port()}"
    environment = {"ROLLCALL_HOME": str(install(tmp_path)), "REDIS_URL": redis_url}
    done = CliRunner().invoke(rollcall, ["breaker", "ls"], env=environment)
    assert isinstance(done.exception, UnreachableError)
    assert "Redis cannot be reached" in str(done.exception)
    assert done.stdout == ""


def test_a_breaker_that_does_not_exist_is_named(run: Command) -> None:
    error = run("history", "nowhere").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"name"}
