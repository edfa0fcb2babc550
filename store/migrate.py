"""Migrates a database from schema to schema: in one transaction, one process at a time.

A schema has the number of its last migration: two digits for its generation, two within it. Within a
generation migrations only add, so that a release works with every newer schema of its own generation: roles
of two releases run side by side during an upgrade, and a rollback needs no migration. A migration that does
not only add begins the next generation, as 0100 does. No release works with another generation than its own.

Alembic is slow to import, so it is imported only when a migration is pending.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from domain.errors import ConfigurationError, PermanentError
from store.database import VERSION_TABLE, Database

if TYPE_CHECKING:
    from alembic.config import Config

FIRST_VERSION_TABLE = "alembic_version"
"""Its name in generation 0, whose releases do not compare generations: they must not find a later schema."""

_LOCK_KEY = 0x526F6C6C  # "Roll", PostgreSQL's advisory lock for migrations
_MIGRATIONS = Path(str(files("store"))) / "migrations"


class UnknownSchemaError(PermanentError):
    """The schema was written by a newer Rollcall."""


class OtherGenerationError(ConfigurationError):
    """No process of this release can work with the schema of the database."""


def head() -> str:
    """The newest schema that this release knows. `deploy/install.sh` asks each release for it."""
    return max(_known())


def is_known(schema: str) -> bool:
    """Whether this release knows `schema`."""
    return schema in _known()


def revision(connection: Connection) -> str | None:
    """The schema of the database, or None if it is empty."""
    for table in (VERSION_TABLE, FIRST_VERSION_TABLE):
        if inspect(connection).has_table(table):
            return connection.execute(text(f"SELECT version_num FROM {table}")).scalar()  # noqa: S608 - constants
    return None


def is_current(database: Database) -> bool:
    """Whether the schema is the newest that this release knows, or a newer one of the same generation."""
    with database.read() as connection:
        found = revision(connection)
    return found is not None and generation(found) == generation(head()) and found >= head()


def generation(schema: str) -> int:
    """The generation of `schema`; releases work with that of their `head` alone."""
    return int(schema) // 100


def require_generation(database: Database) -> None:
    """Raises: OtherGenerationError if the schema has another generation than this release."""
    with database.read() as connection:
        found = revision(connection)
    if found is None or generation(found) == generation(head()):
        return
    if found > head():
        problem = f"install that release, or let it run `rollcall init --down-to {head()}`"
        raise OtherGenerationError({"DATABASE_URL": f"has schema {found} of a later release: {problem}"})
    problem = "stop every role, then run `rollcall init`"
    raise OtherGenerationError(
        {"DATABASE_URL": f"has schema {found}, this release needs {head()}: {problem}"}
    )


def upgrade(database: Database) -> None:
    """Upgrade the schema to the newest; concurrent callers wait. A newer one of its generation is unchanged.

    Raises: OtherGenerationError for a schema of a later generation.
    """
    if is_current(database):
        return
    with database.write() as connection:
        lock(connection)
        if (revision(connection) or "") < head():
            upgrade_to(connection, "head")
    require_generation(database)


def downgrade(database: Database, schema: str) -> None:
    """Give the database back to a release whose newest schema is `schema`; concurrent callers wait.

    Undoes migrations up to the first of a later generation than that of `schema`; what its own generation has
    added stays. Changes nothing if there is none.
    """
    last = max(known for known in _known() if generation(known) <= generation(schema))
    with database.write() as connection:
        lock(connection)
        if (revision(connection) or "") > last:
            _downgrade_to(connection, last)


def lock(connection: Connection) -> None:
    """Lock the schema until the commit; SQLite has a single writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def upgrade_to(connection: Connection, to: str) -> None:
    """Migrate within the transaction of `connection`, up to the schema `to`."""
    from alembic import command  # noqa: PLC0415 - 39 MB, needed once in a release

    if inspect(connection).has_table(FIRST_VERSION_TABLE):
        connection.execute(text(f"ALTER TABLE {FIRST_VERSION_TABLE} RENAME TO {VERSION_TABLE}"))
    command.upgrade(_config(connection), to)


def _downgrade_to(connection: Connection, to: str) -> None:
    from alembic import command  # noqa: PLC0415 - as above

    command.downgrade(_config(connection), to)
    if generation(to) == 0:
        connection.execute(text(f"ALTER TABLE {VERSION_TABLE} RENAME TO {FIRST_VERSION_TABLE}"))


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _known() -> list[str]:
    return [path.name.split("_")[0] for path in _MIGRATIONS.glob("versions/[0-9]*.py")]
