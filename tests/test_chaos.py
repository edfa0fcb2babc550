from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "ucsd-summer1-2022.csv.gz"
DEADLINE_SECONDS = 240


@pytest.fixture
def recording() -> Path:
    if not DATA.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"the recorded season is not at {DATA}")
    return DATA


def test_emptying_redis_in_the_middle_of_each_run_loses_no_mail_and_doubles_none(recording: Path) -> None:
    options = [
        "--wipe",
        "--data",
        str(recording),
        "--hours",
        "3",
        "--cadence",
        "60",
        "--skip-days",
        "43.875",
        "--json",
    ]
    command = [sys.executable, "-m", "bench.chaos", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as chaos:
        output, errors = _finish(chaos)
    assert chaos.returncode == 0, output + errors
    figures = json.loads(output)
    assert figures["mails_sent"] == figures["mails_expected"] > 0
    assert figures["redis_emptied"] == figures["runs"] == 6


def _finish(chaos: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return chaos.communicate(timeout=DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        chaos.terminate()  # it stops what it started
        return chaos.communicate(timeout=90)
