from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from observability.logs import Text

ROOT = Path(__file__).resolve().parents[2]
_SAY = """
import logging
from observability.logs import configure
configure()
logging.getLogger("actors.check").info("checked", extra={"sections": 3})
logging.getLogger("alembic.runtime.migration").info("Running upgrade")
"""


def record(level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    found = logging.makeLogRecord({"name": "actors.check", "levelno": level, "msg": "checked", **extra})
    found.levelname, found.created = (
        logging.getLevelName(level),
        datetime(2026, 1, 15, 9, tzinfo=UTC).timestamp(),
    )
    return found


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (record(), "09:00:00  checked"),
        (record(sections=3, changed=0), "09:00:00  checked  sections=3 changed=0"),
        (record(logging.WARNING), "09:00:00  warning: checked"),
        (record(run="0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"), "09:00:00  checked  run=0d4b3c6f"),
        (record(slot=datetime(2026, 1, 15, 9, tzinfo=UTC)), "09:00:00  checked  slot=2026-01-15 09:00"),
        (record(error=None, actor="sections.check", message_id="1", request_id="2"), "09:00:00  checked"),
    ],
)
def test_a_line_for_people_is_short(found: logging.LogRecord, line: str) -> None:
    assert Text().format(found) == line


def test_a_line_for_people_holds_the_traceback() -> None:
    try:
        raise ValueError("no")  # noqa: TRY301 - its traceback is what matters
    except ValueError:
        text = Text().format(record(exc_info=sys.exc_info()))
    assert text.startswith("09:00:00  checked\nTraceback")
    assert text.endswith("ValueError: no")


def test_a_terminal_gets_text_and_anything_else_gets_json() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "wb") as terminal, os.fdopen(ours, "rb") as screen:
        subprocess.run([sys.executable, "-c", _SAY], cwd=ROOT, stderr=terminal, check=True)
        (line,) = os.read(screen.fileno(), 4096).decode().splitlines()
    assert line.endswith("  checked  sections=3")

    piped = subprocess.run([sys.executable, "-c", _SAY], cwd=ROOT, stderr=subprocess.PIPE, check=True)
    first, second = map(json.loads, piped.stderr.splitlines())
    assert (first["message"], first["sections"], first["logger"]) == ("checked", 3, "actors.check")
    assert second["message"] == "Running upgrade"


def test_the_client_of_rabbitmq_writes_no_tracebacks_of_its_own() -> None:
    said = "logging.getLogger('pika.adapters').error('away', exc_info=OSError('refused'))"
    command = [
        sys.executable,
        "-c",
        f"import logging; from observability import logs; logs.configure(); {said}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, cwd=ROOT)
    assert done.stderr == ""
