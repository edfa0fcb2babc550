"""`rollcall init`: safe to run twice, and at a terminal it asks."""

from __future__ import annotations

import fcntl
import os
import pty
import sqlite3
import stat
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import redis
from dotenv import dotenv_values

from resilience.heartbeats import Heartbeats
from store.migrate import head
from tests.support.commands import run
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import environment, stack, wait_until

RESEND = ("--mail-transport", "resend", "--notification-from-email", "Rollcall <rollcall@example.edu>")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


OLD = "0017"
ROLES = ("web", "worker", "scheduler", "jobs")


@pytest.fixture
def old_home(home: Path) -> Path:
    """A home with the schema of the generation before."""
    assert run(home, "init").returncode == 0
    assert run(home, "init", "--down-to", OLD).stdout == f"database: schema {OLD}, from {head()}\n"
    return home


def test_a_role_neither_works_with_a_schema_of_another_generation_nor_migrates_it(old_home: Path) -> None:
    for role in ROLES:
        done = run(old_home, role)
        assert done.returncode == 78
        reason = f"DATABASE_URL has schema {OLD}, this release needs {head()}"
        assert done.stderr == f"rollcall: {reason}: stop every role, then run `rollcall init`\n"
    assert run(old_home, "init").stdout.splitlines()[-2] == f"database: schema {head()}, from {OLD}"
    later = f"{int(head()) + 100:04}"
    with sqlite3.connect(old_home / "rollcall.db") as connection:
        connection.execute("UPDATE rollcall_schema SET version_num = ?", [later])
    connection.close()
    for command in (*ROLES, "up", "init"):
        done = run(old_home, command)
        assert (done.returncode, done.stderr.count("\n")) == (78, 1)
        assert f"has schema {later} of a later release" in done.stderr


def test_the_generation_changes_only_when_no_role_of_any_machine_runs(old_home: Path) -> None:
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url) as client:
        Heartbeats(client, ttl_seconds=2).beat("worker", "elsewhere:7", {})
        begun = time.monotonic()
        assert run(old_home, "init", REDIS_URL=server.url).returncode == 0
        assert time.monotonic() - begun > 1


def test_everything_in_one_command_upgrades_also_to_another_generation(old_home: Path) -> None:
    with stack(old_home, {"SCHEDULER": "off"}) as running_stack:
        wait_until(running_stack.is_complete, "a process of every role")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_options_and_terminal_it_makes_the_home_and_no_settings_file(home: Path, file: Path) -> None:
    first, second = run(home, "init"), run(home, "init")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "UNSUBSCRIBE_SECRET made" in first.stdout
    assert "secrets: nothing to make" in second.stdout
    assert "as before" in second.stdout
    assert (mode(home), mode(home / "secrets" / "UNSUBSCRIBE_SECRET")) == (0o700, 0o600)
    assert not file.exists()


def test_options_are_written_once_and_never_over_what_is_there(home: Path, file: Path) -> None:
    done = run(home, "init", *RESEND, "--public-url", "https://r.example.edu", RESEND_API_KEY="re_1 #'")
    assert done.returncode == 78  # a key has no spaces
    assert not file.exists()
    done = run(home, "init", *RESEND, "--public-url", "https://r.example.edu", RESEND_API_KEY="re_#1'\\")
    assert done.returncode == 0, done.stderr
    assert "re_#1" not in done.stdout
    assert mode(file) == 0o600
    assert dotenv_values(file, interpolate=False) == {
        "PUBLIC_URL": "https://r.example.edu",
        "MAIL_TRANSPORT": "resend",
        "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
        "RESEND_API_KEY": "re_#1'\\",
    }
    before = file.read_bytes()
    again = run(home, "init", "--public-url", "https://elsewhere.example.edu")
    assert f"{file} is there, and stays as it is" in again.stdout
    assert file.read_bytes() == before


def test_what_cannot_work_is_said_and_not_written(home: Path, file: Path) -> None:
    done = run(home, "init", *RESEND)
    assert done.returncode == 78
    assert done.stderr == "rollcall: RESEND_API_KEY must be set for mail by resend\n"
    assert not file.exists()
    assert list((home / "secrets").iterdir()) == []


def test_the_environment_alone_makes_no_file(home: Path, file: Path) -> None:
    assert run(home, "init", PUBLIC_URL="https://rollcall.example.edu").returncode == 0
    assert not file.exists()


def test_at_a_terminal_it_asks_and_hides_the_secret(home: Path, file: Path) -> None:
    answers = ["nowhere", "https://r.example.edu", "http://127.0.0.1:9", "", "", "a-hidden-token"]
    shown = at_a_terminal(home, answers)
    assert "PUBLIC_URL must be a URL" in shown
    assert "a-hidden-token" not in shown
    assert dotenv_values(file) == {
        "PUBLIC_URL": "https://r.example.edu",
        "SCRAPER_URL": "http://127.0.0.1:9",
        "MAIL_TRANSPORT": "preview",
        "SCRAPER_SECRET_TOKEN": "a-hidden-token",
    }


def at_a_terminal(home: Path, answers: list[str]) -> str:
    """What the terminal shows of `rollcall init` while `answers` are typed, each at its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rollcall", "init"],
        env=environment(home), cwd=home.parent, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    os.close(theirs)
    shown, waiting = "", list(answers)
    while part := read(ours):
        shown += part
        if waiting and shown.endswith(": "):
            os.write(ours, f"{waiting.pop(0)}\n".encode())
    os.close(ours)
    assert process.wait(30) == 0, shown
    return shown


def read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode()
    except OSError:  # Linux' way to say that the other side is gone
        return ""
