"""`rollcall init`: safe to run twice, and at a terminal it asks."""

from __future__ import annotations

import fcntl
import os
import pty
import stat
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.support.commands import run
from tests.support.stack import environment

RESEND = ("--mail-transport", "resend", "--notification-from-email", "Rollcall <rollcall@example.edu>")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_options_and_terminal_it_makes_the_home_and_no_settings_file(home: Path, file: Path) -> None:
    first, second = run(home, "init"), run(home, "init")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "UNSUBSCRIBE_SECRET made" in first.stdout
    assert "secrets: nothing to make" in second.stdout
    assert "the newest" in second.stdout
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
