from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def watched(run: Command) -> None:
    """Ada's watch has the number 1."""
    assert run("watch", "add", "ada@example.edu", "2261", "12431").exit_code == 0


def test_a_watch_is_paused_and_resumed(run: Command, rows: Rows) -> None:
    assert run("watch", "pause", "1", "--for", "7d").stdout.startswith("Paused watch 1 until ")
    assert rows("watch", "ls")[0]["paused_until"] is not None
    assert run("watch", "resume", "1").stdout == "Resumed watch 1.\n"
    assert rows("watch", "ls")[0]["paused_until"] is None
    actions = [row["action"] for row in rows("audit", "ls", "--subject", "watch/1")]
    assert actions == ["watch.resume", "watch.pause", "watch.add"]


def test_watches_are_found_by_an_address_however_it_is_spelled(run: Command, rows: Rows) -> None:
    assert [row["id"] for row in rows("watch", "ls", "--email", " Ada@Example.EDU")] == [1]


@pytest.mark.parametrize("words", [("--email", "bob@example.edu"), ("--section", "99999")])
def test_where_no_watch_matches_it_is_not_said_that_no_one_watches(
    run: Command, words: tuple[str, ...]
) -> None:
    assert run("watch", "ls", *words).stdout == "No watch matches.\n"


def test_what_is_no_address_is_named(run: Command) -> None:
    error = run("watch", "ls", "--email", "ada").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"email"}


@pytest.mark.parametrize("words", [("pause", "7", "--for", "1d"), ("resume", "7"), ("rm", "7")])
def test_a_watch_that_does_not_live_is_named(run: Command, words: tuple[str, ...]) -> None:
    error = run("watch", *words).exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"watch_id"}


def test_what_is_exported_is_imported_again(run: Command, rows: Rows, tmp_path: Path) -> None:
    sheet = tmp_path / "watches.csv"
    assert run("watch", "export", str(sheet)).exit_code == 0
    assert run("watch", "export").stdout_bytes == sheet.read_bytes()
    assert run("watch", "import", str(sheet)).stdout == "Added 0 watches and updated 1.\n"
    assert rows("audit", "ls", "--action", "watch.import")[0]["count"] == 1


def test_an_import_with_rejected_lines_exits_with_1_and_imports_the_others(
    run: Command, rows: Rows, tmp_path: Path
) -> None:
    sheet = tmp_path / "watches.csv"
    sheet.write_bytes("Email;Term;Section\nzoe@example.edu;2261;12431\nnobody;2261;12431\n".encode("utf-16"))
    done = run("watch", "import", str(sheet))
    assert done.exit_code == 1
    assert done.stdout.startswith("Added 1 watch and updated 0. 1 line is left out. Line 3: email: must be")
    assert "email: must be an e-mail address" in done.stdout
    assert [row["email"] for row in rows("watch", "ls", "--email", "zoe@example.edu")] == ["zoe@example.edu"]
