"""Database engines for DBOS: its own defaults, plus retries while the disk is full.

DBOS retries locks and disconnects, and treats any other error as a failure of the workflow whose end it was
about to store.
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
_READ_ONLY = "25006"  # PostgreSQL during a failover
_TRANSIENT = ("disk is full", "disk I/O error", "readonly database", "unable to open database file")


def engine_for(url: str) -> Engine:
    """Create the engine for `url`. Transient errors count as lost connections, which DBOS retries.

    Source: `_create_engine` of the DBOS databases, for the statements that each connection runs first.
    """
    engine = create_engine(make_url(url), pool_size=_CONNECTIONS, max_overflow=_MORE_CONNECTIONS)
    event.listen(engine, "handle_error", _mark_transient)
    is_sqlite = engine.dialect.name == "sqlite"
    event.listen(engine, "connect", _prepare_sqlite if is_sqlite else _prepare_postgresql)
    if not is_sqlite:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _mark_transient(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, DBAPIError) and (
        getattr(error, "sqlstate", None) == _READ_ONLY or any(text in str(error) for text in _TRANSIENT)
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
    """Session settings would leak to the other clients of a connection pooler."""
    driver: Any = connection.connection.dbapi_connection
    if connection.info.get(IS_POOLED) and not driver.autocommit:
        connection.exec_driver_sql(f"SET LOCAL {_TIMEOUT}")
