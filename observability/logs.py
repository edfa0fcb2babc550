"""Structured logs and the ids that connect their lines.

A record is one line: JSON for machines, aligned text at a terminal. Shape: `at`, `level`, `logger`,
`message`, the bound ids, and the record's `extra`.

Ids trace everything that a trigger causes, from the request to the mail: the code that begins something binds
its ids, and a message carries the ids bound where it was published.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware

from domain.text import HEX_ID

_OPTION = "rollcall_ids"
_PROPAGATED = frozenset({"request_id", "run_id"})
_NONE: Mapping[str, object] = MappingProxyType({})
_bound: ContextVar[Mapping[str, object]] = ContextVar("ids", default=_NONE)


def ids() -> Mapping[str, object]:
    """Return the ids bound in this context."""
    return _bound.get()


@contextmanager
def bind_ids(**named: object) -> Iterator[None]:
    """Bind further ids for the length of the block."""
    token = _bound.set({**_bound.get(), **named})
    try:
        yield
    finally:
        _bound.reset(token)


class TraceMiddleware(Middleware):
    """Gives messages their publisher's ids, and binds them where the message is processed.

    Put it first, so that records of the other middleware carry them too.
    """

    def before_enqueue(self, _broker: Broker, message: Message[object], _delay: int | None) -> None:
        """Store the ids in the message; a re-enqueued message keeps its own."""
        if _OPTION not in message.options:
            message.options[_OPTION] = {name: id_ for name, id_ in ids().items() if name in _PROPAGATED}

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Bind the message's ids on this thread."""
        own = {"actor": message.actor_name, "message_id": message.message_id}
        _bound.set({**message.options.get(_OPTION, {}), **own})

    def after_process_message(
        self,
        _broker: Broker,
        _message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Unbind the ids."""
        _bound.set(_NONE)

    def after_skip_message(self, _broker: Broker, _message: MessageProxy) -> None:
        """Unbind the ids."""
        _bound.set(_NONE)


_CHATTY = ("apscheduler", "uvicorn", "dramatiq", "alembic.runtime.plugins")
_SILENT = ("pika",)  # it also raises what it logs with tracebacks, and Dramatiq logs that in one line
_CHATTY_AT_A_TERMINAL = ("alembic",)
_FOR_MACHINES = {"message_id", "actor", "fence", "request_id"}
_ID = re.compile(HEX_ID)
_SHOWN_OF_ID = 8
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as a line of JSON, including its exception."""
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
    """Formats a record as one short line for people; ids are shortened."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time, the level above information, the message and the extras of `record`."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        said = {name: value for name, value in _extra(record).items() if _is_read(name, value)}
        extras = " ".join(f"{name}={_short(value)}" for name, value in said.items())
        line = f"{at}  {level}{record.getMessage()}  {extras}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(level: int = logging.INFO) -> None:
    """Send every record to standard error: text at a terminal, else JSON."""
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
