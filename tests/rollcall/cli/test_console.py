"""`rollcall console` at a terminal, and where there is none."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.commands import run
from tests.support.stack import environment, stack, wait_until

_LINK = re.compile(r"http\S+/console/sign-in/link\?token=(\S+)")


def at_a_terminal(home: Path, *arguments: str, **settings: str) -> str:
    """What `rollcall console` prints on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rollcall", "console", *arguments]
    done = subprocess.run(
        command, env=environment(home, **settings), stdout=theirs, stderr=subprocess.PIPE, check=True
    )
    os.close(theirs)
    assert done.stderr == b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        return terminal.read(4096).decode()


def test_its_link_lets_one_browser_in_and_stands_in_no_log(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with stack(home, {"SCHEDULER": "off"}) as running:
        shown: list[str] = []

        def is_located() -> bool:
            """Whether a shell that does not know the port finds the web role by its heartbeat."""
            shown.append(at_a_terminal(home))
            return running.url("") in shown[-1]

        wait_until(is_located, "a heartbeat of the web role")
        result = shown[-1]
        (found,) = _LINK.finditer(result)
        answers = [
            httpx.post(
                running.url("/console/sign-in/link"),
                data={"token": found[1]},
                headers={"Sec-Fetch-Site": "same-origin"},
            )
            for _ in range(2)
        ]
        assert found[0].startswith(running.url(""))
        assert httpx.get(found[0]).status_code == 200
        log = running.log.read_text()
    assert [answer.status_code for answer in answers] == [303, 403]
    assert "sign in     rollcall console" in log
    assert "sign-in refused" in log
    assert found[1] not in log


def test_with_a_public_address_there_is_a_link_for_it_too(tmp_path: Path, redis_url: str) -> None:
    public = ("--public-url", "https://rollcall.example.edu")
    result = at_a_terminal(tmp_path / "home", *public, REDIS_URL=redis_url)
    first, second = _LINK.finditer(result)
    assert first[0].startswith("http://127.0.0.1:8000/console/")
    assert second[0].startswith("https://rollcall.example.edu/console/")
    assert first[1] == second[1]


def test_where_there_is_no_terminal_it_makes_no_link(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "console")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rollcall: console prints its link at a terminal only")
    assert not (tmp_path / "home" / "rollcall.db").exists()


def test_anyone_who_asked_for_a_link_is_recorded(tmp_path: Path, redis_url: str) -> None:
    home = tmp_path / "home"
    result = at_a_terminal(home, REDIS_URL=redis_url)
    audit = run(home, "audit", "ls", REDIS_URL=redis_url).stdout
    (found,) = _LINK.finditer(result)
    assert "session.invite" in audit
    assert found[1] not in audit
