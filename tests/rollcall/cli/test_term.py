from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command


def test_terms_are_listed_and_ended(run: Command, rows: Callable[..., Any]) -> None:
    assert run("watch", "add", "ada@example.edu", "2261", "12431").exit_code == 0
    assert rows("term", "ls") == []  # nothing of it was seen yet
    ended = run("term", "end", "campus", "2261")
    assert ended.stdout == "Ended the term campus/2261: 1 watch of 1 person.\n"
    again = run("term", "end", "campus", "2261")
    assert isinstance(again.exception, InvalidInputError)
    assert rows("audit", "ls", "--subject", "term/campus/2261")[0]["action"] == "term.end"


@pytest.mark.parametrize("words", [("end", "campus")])
def test_a_term_has_a_source_and_a_name(run: Command, words: tuple[str, ...]) -> None:
    assert run("term", *words).exit_code == 2
