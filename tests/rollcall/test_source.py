from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import environment


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def source(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rollcall", "source", *arguments],
        env=environment(home), cwd=home.parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def listed(home: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(source(home, "ls", "--json").stdout)}


def test_a_source_and_mail_are_paused_and_resumed(home: Path) -> None:
    assert set(listed(home)) == {"campus", "mail"}
    for name in ("campus", "mail"):
        assert source(home, "pause", name, "--for", "2h", "--reason", "a flood").returncode == 0
    rows = listed(home)
    assert {row["reason"] for row in rows.values()} == {"a flood"}
    assert all(row["paused_until"] and row["by"] for row in rows.values())
    assert source(home, "resume", "mail").stdout == "Resumed all mail.\n"
    assert source(home, "resume", "mail").stdout == "All mail was not paused.\n"
    assert listed(home)["mail"]["paused_until"] is None
    assert listed(home)["campus"]["paused_until"] is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "nowhere", "--for", "2h", "--reason", "x"), "name must be one of campus, mail"),
        (("pause", "mail", "--for", "soon", "--reason", "x"), "--for must be a time"),
        (("pause", "mail", "--for", "0m", "--reason", "x"), "--for must be a time"),
        (("pause", "mail", "--for", "400d", "--reason", "x"), "--for must be a time"),
        (("resume", "nowhere"), "name must be one of campus, mail"),
    ],
)
def test_what_a_person_must_correct_is_said(home: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = source(home, *arguments)
    assert answer.returncode == 1
    assert said in answer.stderr
