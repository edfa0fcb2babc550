from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


def test_credits_are_granted_once_for_a_key_and_shown(run: Command, rows: Rows) -> None:
    assert run("credit", "grant", "ada", "5", "--key", "a").stdout == "Granted 5 credits to ada.\n"
    assert run("credit", "grant", "ada", "5", "--key", "a").stdout == "The key has already granted them.\n"
    (made,) = rows("credit", "grant", "ada", "2", "--reason", "a gift")
    assert (made["created"], made["credits"], made["reason"]) == (True, 2, "a gift")

    (found,) = rows("credit", "show", "ada")

    assert [found[name] for name in ("account", "available", "held", "spent")] == ["ada", 7, 0, 0]
    assert [each["credits"] for each in found["ledger"]] == [2, 5]
    result = run("credit", "show", "ada").stdout
    assert "available" in result
    assert "a gift" in result
    recorded = rows("audit", "ls", "--subject", "account/ada")
    assert [row["action"] for row in recorded] == ["credit.grant"] * 2


def test_an_account_that_was_never_granted_anything_is_named(run: Command) -> None:
    error = run("credit", "show", "nobody").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"account"}
