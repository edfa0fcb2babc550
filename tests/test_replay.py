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


def test_every_mail_of_a_recorded_day_is_sent_once_and_no_other(recording: Path) -> None:
    options = ["--data", str(recording), "--days", "1", "--skip-days", "43", "--watchers", "1", "--json"]
    command = [sys.executable, "-m", "bench.replay", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as replay:
        output, errors = _finish(replay)
    assert replay.returncode == 0, output + errors
    figures = json.loads(output)
    assert figures["mails_sent"] == figures["mails_expected"] > 0


def _finish(replay: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return replay.communicate(timeout=DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        replay.terminate()  # it stops what it started
        return replay.communicate(timeout=90)
