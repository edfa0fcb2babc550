from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def checked(run: Command) -> None:
    """Two sections are watched, and one of them was seen."""
    for number in ("12432", "12463"):
        assert run("watch", "add", "ada@example.edu", "2261", number).exit_code == 0
    assert run("watch", "check", "campus", "2261", "12463").exit_code == 0


def test_sections_are_found_with_their_watches(rows: Rows) -> None:
    assert [(row["section"], row["watches"]) for row in rows("section", "ls")] == [
        ("campus/2261/12432", 1),
        ("campus/2261/12463", 1),
    ]
    assert [row["section"] for row in rows("section", "ls", "1246")] == ["campus/2261/12463"]
    assert [row["section"] for row in rows("section", "ls", "--state", "unknown")] == ["campus/2261/12432"]


def test_that_there_are_more_is_said(run: Command) -> None:
    assert run("section", "ls", "--limit", "1").stderr == "There are more than 1.\n"


def test_what_was_seen_of_a_section_is_shown(run: Command, rows: Rows) -> None:
    assert len(rows("section", "show", "campus", "2261", "12463")) == 1
    assert (
        run("section", "show", "campus", "2261", "12432").stdout == "campus/2261/12432 was never observed.\n"
    )


def test_a_section_that_no_one_watched_is_named(run: Command) -> None:
    error = run("section", "show", "campus", "2261", "7").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"section"}
