from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollcall.cli.operations import shell_user
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


def test_what_was_done_is_listed_with_by_whom_the_latest_first(run: Command, rows: Rows) -> None:
    assert run("audit", "ls").stdout == "no matching audit entries\n"
    for words in (("breaker", "open", "mail"), ("breaker", "reset", "mail"), ("cron", "run", "--force")):
        assert run(*words).exit_code == 0
    found = rows("audit", "ls")
    assert [row["action"] for row in found] == ["run.trigger", "breaker.reset", "breaker.open"]
    assert {row["by"] for row in found} == {shell_user()}
    assert len(rows("audit", "ls", "--limit", "1")) == 1
    assert "breaker/mail" in run("audit", "ls", "--action", "breaker.open").stdout
