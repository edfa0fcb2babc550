"""Logs: one JSON object a line for machines, or aligned text where a person looks at a terminal.

Shape: `at`, `level`, `logger`, `message`, the ids that are bound where it is said (`observability.trace`),
and whatever a record carries as `extra`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from observability.trace import ids

_CHATTY = ("apscheduler", "uvicorn", "dramatiq", "alembic.runtime.plugins")
_SILENT = ("pika",)  # what it logs with tracebacks it raises as well, and Dramatiq says that in a line
_CHATTY_AT_A_TERMINAL = ("alembic",)
_FOR_MACHINES = {"message_id", "actor", "fence", "request_id"}
_ID = re.compile(r"[0-9a-f]{32}")
_SHOWN_OF_ID = 8
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as a line of JSON, its exception included."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Text(logging.Formatter):
    """One short line a record, for people: ids are cut to what tells them apart."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as a time, a level where it is more than information, a message and its extras."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        said = {name: value for name, value in _extra(record).items() if _is_read(name, value)}
        extras = " ".join(f"{name}={_short(value)}" for name, value in said.items())
        line = f"{at}  {level}{record.getMessage()}  {extras}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(level: int = logging.INFO) -> None:
    """Send every record to standard error: as text at a terminal, else as JSON."""
    handler, is_terminal = logging.StreamHandler(sys.stderr), sys.stderr.isatty()
    handler.setFormatter(Text() if is_terminal else JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in (*_CHATTY, *(_CHATTY_AT_A_TERMINAL if is_terminal else ())):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    said = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {**ids(), **said}


def _is_read(name: str, value: object) -> bool:
    return name not in _FOR_MACHINES and value is not None


def _short(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    text = str(value)
    return text[:_SHOWN_OF_ID] if _ID.fullmatch(text) else text
