"""`rollcall` commands as an operator gives them, and what `rollcall doctor` found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.stack import environment


def run(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_after(lambda: None, home, *arguments, **settings)


def run_after(
    before: Callable[[], object], home: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """As `run`; `before` is called in the new process before the command begins."""
    return subprocess.run(
        [sys.executable, "-m", "rollcall", *arguments],
        env=environment(home, **settings), cwd=home.parent, preexec_fn=before,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def read(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The findings of `rollcall doctor --json` by their ids."""
    assert done.stderr == "", done.stderr
    return {finding["id"]: finding for finding in json.loads(done.stdout)}


def examine(home: Path, **settings: str) -> dict[str, dict[str, Any]]:
    return read(run(home, "doctor", "--json", **settings))


def statuses(findings: Mapping[str, Mapping[str, Any]], status: str) -> set[str]:
    return {name for name, finding in findings.items() if finding["status"] == status}
