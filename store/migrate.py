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
    """It was written by a newer Rollcall; this one cannot know what it means."""


def head() -> str:
    """The newest revision; revisions are numbered, and a file is named for its number."""
    return max(path.name.split("_")[0] for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def is_known(name: str) -> bool:
    """Whether this Rollcall can build the schema `name`."""
    return any(path.name.split("_")[0] == name for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def revision(connection: Connection) -> str | None:
    """The revision of the database, or None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def is_current(database: Database) -> bool:
    """Whether the schema is the newest that this Rollcall knows, or newer than that.

    A release only adds to the schema, so the one before it serves on it as well: while machines are upgraded
    one by one, and after going back.
    """
    with database.read() as connection:
        found = revision(connection)
    return found is not None and found >= head()


def upgrade(database: Database) -> None:
    """Bring the schema to the newest revision; a rival waits, then finds it done. A newer one stays."""
    if is_current(database):
        return
    with database.write() as connection:
        lock(connection)
        if (revision(connection) or "") < head():
            upgrade_to(connection, "head")


def lock(connection: Connection) -> None:
    """Keep rivals from the schema until the commit; SQLite has one writer as it is."""
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
