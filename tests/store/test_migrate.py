from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from store import migrate
from store.database import VERSION_TABLE, Database
from store.migrate import (
    OtherGenerationError,
    downgrade,
    head,
    is_current,
    require_generation,
    revision,
    upgrade,
)
from store.schema import metadata
from tests.store.rivals import DEADLINE_SECONDS, together

ROOT = Path(__file__).resolve().parents[2]
_PROCESS = """
import sys
from store import database, migrate
found = database.Database(sys.argv[1])
migrate.upgrade(found)
found.close()
"""


_INDEX = "section_search"
"""SQLite's full-text index, and the beginning of the names of its own tables."""
_EXPRESSION = "ix_sections_words"
"""PostgreSQL's full-text index. Neither has a counterpart in the metadata."""


def _is_compared(name: str | None, _kind: str, _parents: object) -> bool:
    return name is None or not name.startswith((_INDEX, _EXPRESSION))


def _tables(database: Database) -> set[str]:
    with database.read() as connection:
        names = inspect(connection).get_table_names()
    return {name for name in names if not name.startswith(_INDEX)}


def _downgrade(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")


def _indexes(connection: Connection) -> dict[str, str]:
    """How the database itself writes each index: Alembic does not compare their conditions."""
    query = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename <> 'rollcall_schema'",
    }[connection.dialect.name]
    found = connection.execute(text(query))
    return {name: " ".join(sql.split()) for name, sql in found if name != _EXPRESSION}


def _columns(connection: Connection) -> dict[str, list[tuple[str, str, bool, str]]]:
    inspector = inspect(connection)
    return {
        table: [
            (column["name"], str(column["type"]), column["nullable"], str(column["default"]).strip("()"))
            for column in inspector.get_columns(table)
        ]
        for table in metadata.tables
    }


def test_an_empty_database_is_brought_to_the_newest_schema(empty: Database) -> None:
    assert not is_current(empty)
    with empty.read() as connection:
        assert revision(connection) is None
    upgrade(empty)
    assert is_current(empty)
    assert _tables(empty) == {*metadata.tables, "rollcall_schema"}


def test_bringing_it_there_again_changes_nothing(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        assert revision(connection) == head()


def test_the_migrations_build_what_the_tables_say(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "version_table": VERSION_TABLE, "include_name": _is_compared},
        )
        assert compare_metadata(context, metadata) == []


def test_the_migrations_build_the_same_defaults_and_conditions_as_the_tables(empty: Database) -> None:
    upgrade(empty)
    with empty.read() as connection:
        migrated = _indexes(connection), _columns(connection)
    _downgrade(empty)
    with empty.write() as connection:
        metadata.create_all(connection)
        assert (_indexes(connection), _columns(connection)) == migrated
    assert any("ended_at_ms IS NULL" in sql for sql in migrated[0].values())


def test_a_downgrade_leaves_an_empty_database_that_can_be_upgraded_again(empty: Database) -> None:
    upgrade(empty)
    _downgrade(empty)
    assert _tables(empty) == {"rollcall_schema"}
    upgrade(empty)
    assert is_current(empty)
    assert _tables(empty) == {*metadata.tables, "rollcall_schema"}


def test_concurrent_threads_migrate_once(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    together(*[partial(upgrade, database) for database in databases])
    assert all(is_current(database) for database in databases)
    for database in databases:
        database.close()


def test_concurrent_processes_migrate_once(empty_url: str) -> None:
    command_line = [sys.executable, "-W", "error", "-c", _PROCESS, empty_url]
    rivals = [subprocess.Popen(command_line, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [rival.communicate(timeout=DEADLINE_SECONDS)[1] for rival in rivals]
    assert [(rival.returncode, error) for rival, error in zip(rivals, errors, strict=True)] == [(0, "")] * 3
    database = Database(empty_url)
    assert is_current(database)
    database.close()


NEWER, LATER_GENERATION = f"{int(head()) + 1:04}", f"{int(head()) + 100:04}"


def set_schema(database: Database, schema: str) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE rollcall_schema SET version_num = :schema"), {"schema": schema})


def schema_of(database: Database) -> str | None:
    with database.read() as connection:
        return revision(connection)


def test_a_newer_schema_of_the_same_generation_suffices_and_is_left_as_it_is(empty: Database) -> None:
    upgrade(empty)
    set_schema(empty, NEWER)
    upgrade(empty)
    require_generation(empty)
    assert is_current(empty)
    assert schema_of(empty) == NEWER


def test_a_schema_of_a_later_generation_is_refused_and_left_as_it_is(empty: Database) -> None:
    upgrade(empty)
    set_schema(empty, LATER_GENERATION)
    assert not is_current(empty)
    for refused in (upgrade, require_generation):
        with pytest.raises(
            OtherGenerationError, match=f"schema {LATER_GENERATION} of a later release: .*{head()}"
        ):
            refused(empty)
    assert schema_of(empty) == LATER_GENERATION


def test_a_schema_of_an_earlier_generation_is_upgraded_and_until_then_refused(empty: Database) -> None:
    with empty.write() as connection:
        migrate.upgrade_to(connection, "0017")
    assert not is_current(empty)
    with pytest.raises(
        OtherGenerationError, match=f"schema 0017, this release needs {head()}: .*rollcall init"
    ):
        require_generation(empty)
    upgrade(empty)
    require_generation(empty)


def test_a_downgrade_ends_with_what_a_release_of_the_generation_before_looks_for(empty: Database) -> None:
    upgrade(empty)
    tables = _tables(empty)
    downgrade(empty, "0015")
    with empty.read() as connection:  # as those releases read it
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0017"
    assert {"notices", "watches"} <= _tables(empty)
    downgrade(empty, "0015")
    upgrade(empty)
    assert _tables(empty) == tables


def test_releases_of_the_generation_before_do_not_find_a_later_schema(empty: Database) -> None:
    with empty.write() as connection:
        migrate.upgrade_to(connection, "0017")
        connection.execute(text("ALTER TABLE rollcall_schema RENAME TO alembic_version"))
    upgrade(empty)
    assert schema_of(empty) == head()
    assert "alembic_version" not in _tables(empty)


def test_within_a_generation_a_downgrade_changes_nothing(empty: Database) -> None:
    upgrade(empty)
    for schema in (head(), NEWER, LATER_GENERATION):
        downgrade(empty, schema)
        assert schema_of(empty) == head()


def test_opt_outs_are_derived_from_the_watches_that_people_ended(empty: Database) -> None:
    rows = (  # id, email, section, ended, reason
        (1, "all", 1, 50, "unsubscribed"),
        (2, "all", 2, 50, "unsubscribed"),
        (3, "all", 3, None, None),  # imported again later
        (4, "one", 1, 60, "unsubscribed"),
        (5, "one", 1, None, None),  # imported again later
        (6, "one", 2, None, None),
        (7, "operator", 1, 70, "stopped by the operator"),
        (8, "operator", 2, None, None),
    )
    with empty.write() as connection:
        migrate.upgrade_to(connection, "0006")
        for number in (1, 2, 3):
            insert = (
                "INSERT INTO sections (id, source, term, number, is_even) VALUES (:i, 's', 't', :n, false)"
            )
            connection.execute(text(insert), {"i": number, "n": str(number)})
        for watch_id, email, section, ended, reason in rows:
            values = {"i": watch_id, "e": email, "s": section, "at": ended, "why": reason}
            connection.execute(
                text(
                    "INSERT INTO watches (id, email, section_id, kinds, min_seats, created_at_ms,"
                    " ended_at_ms, ended_reason) VALUES (:i, :e, :s, '[]', 1, 55, :at, :why)"
                ),
                values,
            )
    upgrade(empty)
    with empty.read() as connection:
        found = connection.execute(
            text("SELECT email, section_id, created_at_ms FROM opt_outs ORDER BY email, section_id")
        )
        assert [tuple(row) for row in found] == [("all", None, 50), ("one", 1, 60)]
        found = connection.execute(
            text("SELECT id, ended_at_ms FROM watches WHERE id IN (3, 5, 6, 8) ORDER BY id")
        )
        assert [tuple(row) for row in found] == [(3, 55), (5, 60), (6, None), (8, None)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE notifications (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="notifications"):
        upgrade(empty)
    assert _tables(empty) == {"notifications"}
