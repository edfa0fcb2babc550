"""Migrates a database to the newest schema: in one transaction, one process at a time.

Alembic is slow to import, so it is imported only when a migration is pending.
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
    """The schema was written by a newer Rollcall."""


def head() -> str:
    """The newest revision; each migration file is named by its number."""
    return max(path.name.split("_")[0] for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def is_known(name: str) -> bool:
    """Whether this release knows the schema revision `name`."""
    return any(path.name.split("_")[0] == name for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def revision(connection: Connection) -> str | None:
    """The revision of the database, or None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def is_current(database: Database) -> bool:
    """Whether the schema is the newest that this release knows, or newer.

    A release only adds to the schema, so the previous release works with it during a rolling upgrade and
    after a rollback.
    """
    with database.read() as connection:
        found = revision(connection)
    return found is not None and found >= head()


def upgrade(database: Database) -> None:
    """Upgrade the schema to the newest revision; concurrent callers wait. A newer schema is unchanged."""
    if is_current(database):
        return
    with database.write() as connection:
        lock(connection)
        if (revision(connection) or "") < head():
            upgrade_to(connection, "head")


def lock(connection: Connection) -> None:
    """Lock the schema until the commit; SQLite has a single writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def upgrade_to(connection: Connection, to: str) -> None:
    """Migrate within the transaction of `connection`, up to the revision `to`."""
    from alembic import command  # noqa: PLC0415 - 39 MB, needed once in a release
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
