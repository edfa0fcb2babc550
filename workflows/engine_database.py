"""DBOS' connections to the database: as it makes them by itself, but patient with a disk that is full.

By itself DBOS repeats what was locked or disconnected, and takes everything else for a failure of the step
that it was about to keep: a letter that has left would be followed by a refund.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from store.database import IS_POOLED, prepare_postgresql

_CONNECTIONS, _MORE_CONNECTIONS = 2, 14
_BUSY_TIMEOUT_MS = 30_000
_IDLE_TRANSACTION_TIMEOUT_MS = 60_000
_TIMEOUT = f"idle_in_transaction_session_timeout = {_IDLE_TRANSACTION_TIMEOUT_MS}"
_READ_ONLY = "25006"  # PostgreSQL, while another server takes over
_PASSING = ("disk is full", "disk I/O error", "readonly database", "unable to open database file")


def engine_for(url: str) -> Engine:
    """An engine for DBOS over `url`; what passes by itself counts as a lost connection, which it repeats.

    Source: `_create_engine` of DBOS' databases, for what each connection is told first.
    """
    engine = create_engine(make_url(url), pool_size=_CONNECTIONS, max_overflow=_MORE_CONNECTIONS)
    event.listen(engine, "handle_error", _repeat_what_passes)
    is_sqlite = engine.dialect.name == "sqlite"
    event.listen(engine, "connect", _prepare_sqlite if is_sqlite else _prepare_postgresql)
    if not is_sqlite:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _repeat_what_passes(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, DBAPIError) and (
        getattr(error, "sqlstate", None) == _READ_ONLY or any(said in str(error) for said in _PASSING)
    ):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")


def _prepare_postgresql(connection: Any, record: Any) -> None:
    prepare_postgresql(connection, record)
    if not record.info[IS_POOLED]:
        connection.execute(f"SET {_TIMEOUT}")
        connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    """What is set for a session behind a pooler would stay there for its other clients."""
    driver: Any = connection.connection.dbapi_connection
    if connection.info.get(IS_POOLED) and not driver.autocommit:
        connection.exec_driver_sql(f"SET LOCAL {_TIMEOUT}")
