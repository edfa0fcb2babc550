from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def watched(run: Command) -> None:
    assert run("watch", "add", "ada@example.edu", "2261", "12432").exit_code == 0


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("watch", "1"), "Watch 1: ada@example.edu, campus/2261/12432"),
        (("section", "campus", "2261", "12432"), "Section campus/2261/12432"),
        (("address", "ada@example.edu"), "Mail to ada@example.edu"),
    ],
)
def test_a_timeline_has_a_title_and_events(
    run: Command, rows: Rows, words: tuple[str, ...], title: str
) -> None:
    assert run("timeline", *words).stdout.splitlines()[0] == title
    assert "watched" in [row["what"] for row in rows("timeline", *words)]


def test_what_holds_news_back_is_said_first(run: Command) -> None:
    lines = run("timeline", "watch", "1").stdout.splitlines()
    assert (
        lines[1]
        == "  It was never observed: its first observation will be a baseline, without notifications."
    )


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("watch", "7"), "watch_id"),
        (("section", "campus", "2261", "7"), "section"),
        (("address", "nobody"), "email"),
        (("notification", "7"), "notification_id"),
    ],
)
def test_what_does_not_exist_is_named(run: Command, words: tuple[str, ...], field: str) -> None:
    error = run("timeline", *words).exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {field}
