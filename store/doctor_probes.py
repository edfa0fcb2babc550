"""Probes of the database: reachable, intact, and with this release's schema. They never create it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from domain.check import Result, degraded, healthy, unhealthy
from store import migrate
from store.database import Database

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL_BYTES = 1_000_000
_INTEGRITY_SECONDS = 8.0
_STEPS = 100_000  # instructions of SQLite's virtual machine between two looks at the clock
_RESTORE = "rollcall restore FILE --replace"


def read_only(url: str) -> str:
    """Return the URL that opens the same database without creating or changing its file."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        file = f"file:{quote(str(Path(parts.database or '').absolute()))}"
        parts = parts.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})
    return parts.render_as_string(hide_password=False)


def probe_server(url: str) -> Result:
    """Return whether the database answers, and whether a server takes writes."""
    parts = make_url(url)
    if Database(url).is_missing:
        return unhealthy(f"there is no {parts.database}", "rollcall init")
    try:
        with _opened(url) as database:
            if not database.is_sqlite and migrate.is_current(database):
                database.check_writable()
            return healthy(f"{_version(database)}, {_place(parts)}")
    except DBAPIError as error:
        return unhealthy(f"{_place(parts)}: {error.orig}", remedy(parts, error))


def probe_migrations(url: str) -> Result:
    """Return whether the schema is this release's."""
    newest = migrate.head()
    with _opened(url) as database:
        found = _revision(database)
    if found == newest:
        return healthy(f"schema {newest}, the newest")
    if found is None or found < newest:
        return unhealthy(f"schema {found or 'none'}, not {newest}", "rollcall init")
    newer = f"schema {found} is newer than {newest} of this release"
    if migrate.generation(found) != migrate.generation(newest):
        return unhealthy(f"{newer}, which cannot work with it", "install the newer release")
    return degraded(newer, "upgrade again once the failure is fixed")


def probe_integrity(url: str) -> Result:
    """Return whether the file is intact."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite":
        return healthy("PostgreSQL checks it by itself")
    try:
        reported = _quick_check(url)
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
            return unhealthy(f"{_place(parts)}: {error.orig}", remedy(parts, error))
        command = f"sqlite3 {parts.database} 'PRAGMA quick_check'"
        return degraded(f"the check did not finish within {_INTEGRITY_SECONDS:g} s", command)
    return healthy("intact") if reported == "ok" else unhealthy(reported, _RESTORE)


def remedy(url: URL, error: DBAPIError) -> str:
    """Return the repair of a database that raised `error`; only a damaged file suggests a restore."""
    if url.get_backend_name() != "sqlite":
        return f"start PostgreSQL at {_place(url)}, or correct DATABASE_URL"
    folder = Path(url.database or "").absolute().parent
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or shutil.disk_usage(folder).free < _FULL_BYTES:
        return f"free space on the disk of {folder}"
    if code in _DAMAGED:
        return _RESTORE
    if code == sqlite3.SQLITE_BUSY:
        return f"wait for, or stop, the process that locks {url.database}"
    return f"let this user read and write {url.database} and its folder"


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(read_only(url))
    try:
        yield database
    finally:
        database.close()


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return migrate.revision(connection)


def _version(database: Database) -> str:
    query = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    with database.read() as connection:
        version = connection.execute(text(query)).scalar_one()
    return f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} {version}"


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or url.query.get('host') or 'localhost'}:{url.port or 5432}/{url.database}"


def _quick_check(url: str) -> str:
    deadline = time.monotonic() + _INTEGRITY_SECONDS
    with _opened(url) as database, database.read() as connection:
        handle: Any = connection.connection.driver_connection
        handle.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
