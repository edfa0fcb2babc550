from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import environment

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "requirements" / "runtime.txt"
_WITHOUT_DRIVER = "import sys; sys.modules['pika'] = None; from rollcall.cli.main import main; main()"


def test_the_driver_of_every_offered_broker_and_database_is_among_the_locked_dependencies() -> None:
    locked = {line.partition("==")[0] for line in RUNTIME.read_text().splitlines() if "==" in line}
    assert {"pika", "redis", "psycopg", "psycopg-binary", "obstore"} <= locked


@pytest.mark.parametrize("role", ["web", "worker", "scheduler", "jobs"])
def test_a_missing_driver_is_one_line_in_every_role(tmp_path: Path, role: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_DRIVER, role],
        env=environment(tmp_path / "home", BROKER_URL="amqp://127.0.0.1:1", REDIS_URL="redis://127.0.0.1:1"),
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.splitlines() == ["rollcall: BROKER_URL needs pika: run `make setup`"]
