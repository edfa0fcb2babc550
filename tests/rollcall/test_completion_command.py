"""Completion files: what is shipped is what the command prints, and a real shell completes with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollcall.cli.main import rollcall

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "completions"
FILES = {"bash": "rollcall.bash", "zsh": "_rollcall", "fish": "rollcall.fish"}
_COMPLETE = r"""
source "$1"
COMP_WORDS=(rollcall "$2") COMP_CWORD=1
$(complete -p rollcall | sed 's/.*-F \([^ ]*\) .*/\1/') rollcall "$2" rollcall
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", FILES)
def test_the_shipped_file_is_what_the_command_prints(shell: str) -> None:
    printed = CliRunner().invoke(rollcall, ["completion", shell], prog_name="rollcall")
    assert printed.exit_code == 0
    assert (FOLDER / FILES[shell]).read_text() == printed.stdout


@pytest.mark.parametrize(
    ("begun", "completed"), [("doc", ["doctor"]), ("sche", ["scheduler"]), ("zzz", [""])]
)
def test_bash_completes_our_commands(begun: str, completed: list[str], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", _COMPLETE, "bash", str(FOLDER / FILES["bash"]), begun],
        env={"PATH": path}, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == completed
