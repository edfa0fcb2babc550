"""Bringing a database to the newest schema: in one transaction, one process at a time.

Alembic is heavy, so it is imported only when there is something to do.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from domain.errors import PermanentError
from store.database import Database

_LOCK_KEY = 0x526F6C6C  # "Roll", PostgreSQL's advisory lock for migrations
_MIGRATIONS = Path(str(files("store"))) / "migrations"


class UnknownSchemaError(PermanentError):
    """The database was written by a newer Rollcall; this one must not touch it."""


def head() -> str:
    """The newest revision; revisions are numbered, and a file is named for its number."""
    return max(path.name.split("_")[0] for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def revision(connection: Connection) -> str | None:
    """The revision of the database, or None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def is_current(database: Database) -> bool:
    """Whether the schema is the newest."""
    with database.read() as connection:
        return revision(connection) == head()


def upgrade(database: Database) -> None:
    """Bring the schema to the newest revision; a rival waits, then finds it done.

    Raises: UnknownSchemaError when the database is ahead of this code.
    """
    if is_current(database):
        return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        found = revision(connection)
        if found is not None and found > head():
            raise UnknownSchemaError(f"the database has schema {found}, newer than {head()} of this Rollcall")
        _run(connection)


def _run(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 39 MB, needed once in a release
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
