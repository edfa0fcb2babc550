"""The database engine, transactions and retries of them during an outage, and the conversion of times.

SQLite runs with a write-ahead log and full synchronisation: a commit that returned survives a power cut, so
no mail is sent for a change that could be lost (docs/adr/0003). Tables store times as whole milliseconds
since the epoch, UTC.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, RowMapping, Select, Table, create_engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import ConfigurationError
from store.error_window import ErrorWindow

Wait = Callable[[float], bool]
"""Waits for some seconds; returns True if there is no time left."""
OUTAGES = (
    OperationalError,
    InterfaceError,
    InternalError,  # PostgreSQL that is temporarily read-only
    PoolTimeoutError,
)
T = TypeVar("T")
BUSY_TIMEOUT_MS = 15_000
_RETRY_SECONDS = 1.0
_WRITES = "rollcall_writes"
IS_POOLED = "rollcall_is_pooled"
"""Key in a connection's info: whether a pooler is between us and PostgreSQL."""
_NO_TRANSACTIONS = "leads to a pooler in statement mode: set its pool_mode to transaction or session"
_SERIALISE = text("SELECT pg_advisory_xact_lock(:key)")  # transaction-level, so it works with PgBouncer
VERSION_TABLE = "rollcall_schema"
"""Holds the number of the database's schema (`store.migrate`)."""
# It matches no row: a read-only server rejects it anyway, and only SQLite waits for a lock.
_PROBE = text(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE 1 = 0")  # noqa: S608 - a constant
_log = logging.getLogger(__name__)


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of the file at `path`, with any characters."""
    return URL.create("sqlite", database=str(path)).render_as_string()


class Database:
    """One database, SQLite or PostgreSQL, by its SQLAlchemy URL. Connects when first used."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.errors = ErrorWindow()
        self._engine = create_engine(self.url, pool_pre_ping=not self.is_sqlite)
        event.listen(self._engine, "handle_error", self._note_error)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "connect", prepare_postgresql, insert=True)  # before SQLAlchemy asks

    @property
    def is_missing(self) -> bool:
        """Whether it is a file that does not exist yet; connecting creates it."""
        return self.is_sqlite and not Path(self.url.database or "").is_file()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction; it never commits."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As `read`, with one consistent snapshot for all queries."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._engine.connect().execution_options(**options) as connection:
            yield connection

    def page(
        self, query: Select[Any], limit: int, cursor: str, build: Callable[[RowMapping], T]
    ) -> tuple[list[T], Any]:
        """The first `limit` results of `query`, and the next cursor: column `cursor` of the last, or None."""
        with self.read() as connection:
            rows = list(connection.execute(query.limit(limit + 1)).mappings())
        return [build(row) for row in rows[:limit]], rows[limit - 1][cursor] if len(rows) > limit else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block and rolls back if it raises."""
        with self._engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection

    def check_writable(self) -> None:
        """Raise the error if the database does not answer or rejects writes; changes nothing."""
        with self._engine.connect().execution_options(**{_WRITES: True}) as connection:
            connection.execute(_PROBE)
            connection.rollback()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _note_error(self, context: ExceptionContext) -> None:
        """Count errors that reach a caller, except constraint violations and stale connections."""
        if context.is_pre_ping or isinstance(context.sqlalchemy_exception, IntegrityError):
            return
        self.errors.add(context.original_exception)


def serialise(connection: Connection, name: str) -> None:
    """Serialise transactions under `name`: each waits until the previous one has committed.

    For decisions about many rows, which no row lock covers. SQLite has a single writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_SERIALISE, {"key": zlib.crc32(name.encode())})


def chunks(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """`items` in lists of at most `size`: databases bound the number of parameters."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def insert_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert `row` unless its unique key exists; return whether it was inserted."""
    inserted = _insert_new(connection, table).values(row).returning(*table.primary_key)
    return connection.execute(inserted).first() is not None  # not every driver reports a row count


def insert_all_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """As `insert_new`, for many."""
    connection.execute(_insert_new(connection, table), rows)


def _insert_new(connection: Connection, table: Table) -> Any:
    dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # the other costs 2 MB
    return dialect.insert(table).on_conflict_do_nothing()


def prepare_postgresql(dbapi_connection: Any, record: Any) -> None:
    """Detect a pooler, and avoid session state if each transaction may use another session.

    PgBouncer gives a client an invented process id, which differs from the server's. Prepared statements
    belong to the session: they save time without a pooler and are lost with one.

    Raises: ConfigurationError for a pooler that does not keep a transaction in one session.
    """
    try:
        (server_pid,) = dbapi_connection.execute("SELECT pg_backend_pid()").fetchone()
        dbapi_connection.rollback()
    except dbapi_connection.DatabaseError as error:
        if "statement pooling" in str(error):
            raise ConfigurationError({"DATABASE_URL": _NO_TRANSACTIONS}) from error
        raise
    record.info[IS_POOLED] = server_pid != dbapi_connection.info.backend_pid
    if record.info[IS_POOLED]:
        dbapi_connection.prepare_threshold = None


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    _write_ahead(dbapi_connection)


def _write_ahead(dbapi_connection: Any) -> None:
    """Switch the file to a write-ahead log; SQLite does not wait if another process opens a new file too."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another one writes: take the lock
    # at the start, where waiting is possible.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

TOLERANCE = timedelta(minutes=1)
"""The allowed clock difference between two hosts; a time further ahead comes from a wrong clock."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, exact; `moment` must be aware."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(moment_ms: int) -> datetime:
    """The aware UTC time of `moment_ms`."""
    return _EPOCH + moment_ms * _MILLISECOND


def from_ms_or_none(moment_ms: int | None) -> datetime | None:
    """As `from_ms`; None for None."""
    return None if moment_ms is None else from_ms(moment_ms)


def to_ms_or_none(moment: datetime | None) -> int | None:
    """As `to_ms`; None for None."""
    return None if moment is None else to_ms(moment)


def retry_during_outage(access: Callable[[], T], wait: Wait) -> T:
    """Call `access` until the database answers, and return its result. `access` must be idempotent.

    A commit whose answer was lost counts as an outage; the retry finds its writes. Raises: the last outage if
    `pause` reports that no time is left.
    """
    while True:
        try:
            return access()
        except OUTAGES as error:
            _log.warning("the database is unavailable", extra={"error": str(error)})
            if wait(_RETRY_SECONDS):
                raise
