"""Checks of the database: reachable, sound, and with this release's schema. It is opened read-only."""

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

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.wiring import database_url
from store import migrate
from store.database import Database
from store.sections.states import Sections

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_ROOM_BYTES = 1_000_000
_PATIENCE_SECONDS = 8.0
_STEPS = 100_000  # of SQLite's machine between two looks at the clock


@contextmanager
def reading(case: InspectedSettings) -> Iterator[Database]:
    """Open the database; never create it."""
    url = _url(case)
    if _is_sqlite(url):
        file = f"file:{quote(str(Path(url.database or '').absolute()))}"
        url = url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})
    database = Database(url.render_as_string(hide_password=False))
    try:
        yield database
    finally:
        database.close()


def _url(case: InspectedSettings) -> URL:
    return make_url(database_url(case.settings))


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _database(case: InspectedSettings) -> Verdict:
    url = _url(case)
    if Database(database_url(case.settings)).is_missing:
        return failure(f"there is no {url.database}", "rollcall init")
    try:
        with reading(case) as database:
            if not database.is_sqlite and migrate.is_current(
                database
            ):  # SQLite's file is opened for reading here
                database.check_writable()
            return ok(f"{_version(database)}, {_place(url)}")
    except DBAPIError as error:
        return failure(f"{_place(url)}: {error.orig}", remedy(url, error))


def _version(database: Database) -> str:
    asked = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    with database.read() as connection:
        version = connection.execute(text(asked)).scalar_one()
    return f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} {version}"


def _place(url: URL) -> str:
    if _is_sqlite(url):
        return str(url.database)
    return f"{url.host or url.query.get('host') or 'localhost'}:{url.port or 5432}/{url.database}"


def remedy(url: URL, error: DBAPIError) -> str:
    """Return the repair of a database that raised `error`; only a damaged file suggests a restore."""
    if not _is_sqlite(url):
        return f"start PostgreSQL at {_place(url)}, or correct DATABASE_URL"
    folder = Path(url.database or "").absolute().parent
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or shutil.disk_usage(folder).free < _NO_ROOM_BYTES:
        return f"make room on the disk of {folder}"
    if code in _DAMAGED:
        return "rollcall restore FILE --replace"
    if code == sqlite3.SQLITE_BUSY:
        return f"wait for, or stop, the process that locks {url.database}"
    return f"let this user read and write {url.database} and its folder"


def _migrations(case: InspectedSettings) -> Verdict:
    newest = migrate.head()
    with reading(case) as database, database.read() as connection:
        found = migrate.revision(connection)
    if found == newest:
        return ok(f"schema {newest}, the newest")
    if found is None or found < newest:
        return failure(f"schema {found or 'none'}, not {newest}", "rollcall init")
    seen = f"schema {found} is newer than {newest} of this release"
    if migrate.generation(found) != migrate.generation(newest):
        return failure(f"{seen}, which cannot work with it", "install the newer release")
    return warning(seen, "upgrade again once the failure is fixed")


def _integrity(case: InspectedSettings) -> Verdict:
    url = _url(case)
    if not _is_sqlite(url):
        return ok("PostgreSQL looks after it")
    try:
        told = _quick_check(case)
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
            return failure(f"{_place(url)}: {error.orig}", remedy(url, error))
        hint = f"sqlite3 {url.database} 'PRAGMA quick_check'"
        return warning(f"not checked to the end within {_PATIENCE_SECONDS:g} s", hint)
    return ok("sound") if told == "ok" else failure(told, "rollcall restore FILE --replace")


def _unknown_sections(case: InspectedSettings) -> Verdict:
    with reading(case) as database:
        found = Sections(database).unknown()
    if not found:
        return ok("every watched section was listed, or is not checked yet")
    named = ", ".join(f"{of.count} of {source} ({of.example})" for source, of in found.items())
    return warning(f"watched, and never listed by their catalog: {named}", "rollcall watch ls")


def _quick_check(case: InspectedSettings) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with reading(case) as database, database.read() as connection:
        handle: Any = connection.connection.driver_connection
        handle.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())


_NEEDS = ("settings.DATABASE_URL", "settings.ROLLCALL_HOME")
CHECKS = (
    Check("database", _database, "correct DATABASE_URL", _NEEDS),
    Check("database.migrations", _migrations, "rollcall init", (*_NEEDS, "database")),
    Check("sections", _unknown_sections, "rollcall doctor", (*_NEEDS, "database", "database.migrations")),
    Check("database.integrity", _integrity, "rollcall doctor", (*_NEEDS, "database")),
)
