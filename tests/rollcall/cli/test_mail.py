from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.address import NO_ADDRESS
from domain.errors import InvalidInputError
from tests.rollcall.cli.conftest import Command
from tests.standins.smtp import SmtpStandIn
from tests.support.commands import run as a_process

Rows = Callable[..., Any]


def test_mail_is_paused_and_resumed_and_both_is_recorded(run: Command, rows: Rows) -> None:
    assert run("mail", "pause", "--for", "2h", "--reason", "a flood").stdout.startswith(
        "Paused all mail until "
    )
    assert run("mail", "resume").stdout == "Resumed all mail.\n"
    assert run("mail", "resume").stdout == "All mail was not paused.\n"
    found = rows("audit", "ls", "--subject", "mail")
    assert [(row["action"], row["count"]) for row in found] == [("source.resume", 1), ("source.pause", 1)]
    assert found[1]["detail"] == {"seconds": 7200.0, "reason": "a flood"}


def test_dead_notifications_that_do_not_exist_are_counted_and_nothing_is_recorded(
    run: Command, rows: Rows
) -> None:
    result = run("mail", "retry", "--cause", "no such domain", "--older-than", "1h", "--rate", "2", "--yes")
    assert result.stdout == "No dead notification matches. There is nothing to do.\n"
    found = rows("mail", "retry", "--dry-run")
    assert found == [{"action": "retry", "matched": 0, "done": 0, "dry_run": True}]
    assert rows("audit", "ls", "--action", "mail.retry") == []


def test_a_length_of_time_without_a_sense_is_named(run: Command) -> None:
    error = run("mail", "pause", "--for", "soon", "--reason", "x").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"--for"}


def test_a_test_is_sent_and_the_transports_answer_shown(run: Command, rows: Rows) -> None:
    result = run("mail", "send-test", "Ada@example.edu", "--kind", "section_retired")
    assert result.exit_code == 0
    assert result.stdout.startswith("preview accepted the message to ada@example.edu as ")
    assert "section_retired" in result.stdout
    (found,) = rows("audit", "ls", "--action", "mail.test")
    assert found["subject"] == "address/ada@example.edu"


def test_a_mail_servers_own_words_are_shown(tmp_path: Path, redis_url: str) -> None:
    with SmtpStandIn() as server:
        server.replies["END"] = "250 2.0.0 Ok: queued as 4F2B"
        smtp = {"SMTP_URL": f"smtp://127.0.0.1:{server.port}", "NOTIFICATION_FROM_EMAIL": "r@example.edu"}
        result = a_process(
            tmp_path / "home", "mail", "send-test", "a@example.edu", REDIS_URL=redis_url, **smtp
        )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("smtp accepted the message to a@example.edu as <")
    assert result.stdout.endswith("> (250 2.0.0 Ok: queued as 4F2B).\n")


def test_what_is_no_address_is_refused_in_the_same_words_everywhere(run: Command) -> None:
    commands = {
        "to": (("mail", "send-test", "nobody"),),
        "email": (
            ("mail", "lift", "nobody"),
            ("timeline", "address", "nobody"),
            ("watch", "ls", "--email", "nobody"),
            ("watch", "add", "nobody", "2261", "12431"),
        ),
    }
    for field, all_words in commands.items():
        for words in all_words:
            error = run(*words).exception
            assert isinstance(error, InvalidInputError), words
            assert error.problems == {field: NO_ADDRESS}


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("send-test", "nobody"), "to"),
        (("preview", "7"), "notification_id"),
        (("lift", "ada@example.edu"), "email"),
    ],
)
def test_what_is_wrong_is_named(run: Command, words: tuple[str, ...], field: str) -> None:
    error = run("mail", *words).exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {field}


def test_without_suppressions_that_is_said(run: Command) -> None:
    assert run("mail", "suppressions").stdout == "mail to no address is suppressed\n"
