"""Dumps the whole database into one file while it is in use.

Tables and identifiers are read as the database has them; its schema may differ from this release's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, Integer, MetaData, Table, func, inspect, select, text
from sqlalchemy.schema import DropSchema

from domain.errors import PermanentError
from store import migrate
from store.backup.archive import Manifest, Row, Writer, new_file, writing
from store.database import VERSION_TABLE, Database
from store.schema import metadata as ours

_FORMER_NAMES = {
    "0004": {"notifications": "watch_notifications"},
    "0100": {
        "notices": "watch_notifications",
        "bulletins": "alert_notifications",
        "job_calls": "job_callbacks",
        "section_days": "section_daily_rollups",
    },
}
"""The tables of each schema before which they had another name, with their names now."""


def tables_of(connection: Connection) -> list[Table]:
    """Rollcall's tables in `connection`'s database, of any schema, referenced ones first."""
    known = ours.tables.keys() | former_names(connection).keys()
    names = [name for name in inspect(connection).get_table_names() if name in known]
    found = MetaData()
    found.reflect(connection, only=names)
    for table in found.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True  # nothing is NULL, not JSON's null
    return [table for table in found.sorted_tables if table.name in names]


def former_names(connection: Connection) -> dict[str, str]:
    """The names of tables in the schema of `connection`'s database that are others now, with those of now."""
    schema = migrate.revision(connection) or migrate.head()
    found: dict[str, str] = {}
    for since, names in _FORMER_NAMES.items():
        found |= names if schema < since else {}
    return found


def count_rows(connection: Connection, tables: list[Table]) -> int:
    """How many rows `tables` have together."""
    return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def drop(connection: Connection, tables: list[Table]) -> None:
    """Remove `tables` with their rows, the version of their schema, and what DBOS keeps of jobs."""
    for table in reversed(tables):
        table.drop(connection)
    for name in (VERSION_TABLE, migrate.FIRST_VERSION_TABLE):
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
    _drop_workflows(connection)


def _drop_workflows(connection: Connection) -> None:
    """DBOS creates its tables again when it starts. One has the name of a table of our first revisions."""
    if connection.dialect.name == "postgresql":
        connection.execute(DropSchema("dbos", cascade=True, if_exists=True))
        return
    rest = MetaData()  # the file has no other user
    rest.reflect(connection)
    rest.drop_all(connection)


def numbers(connection: Connection, tables: list[Table]) -> dict[str, int]:
    """The last number that each of `tables` has given to a row, whether or not that row still exists."""
    found = {table.name: _last(connection, table) for table in tables if _key(table) is not None}
    for name, given in _given(connection, tables).items():
        found[name] = max(found.get(name, 0), given)
    return found


def resume_sequences(connection: Connection, tables: list[Table], given: Mapping[str, int]) -> None:
    """Let every row to come have a higher number than those that were `given`."""
    for table in tables:
        key, last = _key(table), max(given.get(table.name, 0), _last(connection, table))
        if key is None or last == 0:
            continue
        if connection.dialect.name == "sqlite":
            _note_sqlite(connection, table.name, last)
        else:
            sequence = func.pg_get_serial_sequence(table.name, key)
            connection.execute(select(func.setval(sequence, last)))


def _key(table: Table) -> str | None:
    """The column that the database numbers, or None."""
    keys = [column for column in table.primary_key if isinstance(column.type, (Integer, BigInteger))]
    return keys[0].name if len(keys) == 1 else None


def _last(connection: Connection, table: Table) -> int:
    key = _key(table)
    if key is None:
        return 0
    return int(connection.execute(select(func.coalesce(func.max(table.c[key]), 0))).scalar_one())


def _given(connection: Connection, tables: list[Table]) -> dict[str, int]:
    names = {table.name for table in tables}
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")) if names else ()
        return {name: int(last) for name, last in rows if name in names}
    query = text(
        "SELECT last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = :name"
    )
    found = {}
    for table in tables:
        key = _key(table)
        if key is None:
            continue
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, key))).scalar()
        found[table.name] = connection.execute(query, {"name": sequence}).scalar() or 0
    return found


def _note_sqlite(connection: Connection, name: str, last: int) -> None:
    """SQLite heeds the note for the tables that never give a number twice, and for no other."""
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
    note = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
    connection.execute(note, {"name": name, "last": last})


_ROWS_AT_ONCE = 1000
Progress = Callable[[int, int], None]
"""Hears how many rows of how many are done."""


def back_up(  # noqa: PLR0913 - what goes in, by keyword
    database: Database,
    path: Path,
    *,
    release: str,
    secrets: Mapping[str, str],
    files: Iterable[tuple[str, Path]] = (),
    now: datetime,
    progress: Progress,
) -> Manifest:
    """Write what `database` holds at one moment, `secrets` and `files` to `path`, or no file.

    Readers and writers are not blocked. An older schema is written unchanged.
    Shape: `files` yields the key and path of each file; it is consumed after the rows are written.

    Raises: PermanentError when the database has no schema.
    """
    with database.snapshot() as connection:
        schema = migrate.revision(connection)
        if schema is None:
            raise PermanentError("there is nothing to back up: run `rollcall init`")
        manifest = Manifest(release, schema, now.isoformat())
        with new_file(path) as file, writing(file, manifest) as writer:
            _write_tables(connection, writer, progress)
            for key, place in files:  # later than the rows: whatever these name is there
                writer.add_file(key, place)
            for name, value in secrets.items():
                writer.add_secret(name, value)
    return manifest


def _write_tables(connection: Connection, writer: Writer, progress: Progress) -> None:
    tables = tables_of(connection)
    total, done = count_rows(connection, tables), 0
    for table in tables:
        rows = _with_progress(_rows(connection, table), done, total, progress)
        writer.add_table(table.name, [column.name for column in table.columns], rows)
        done += writer.manifest.tables[table.name].rows
    progress(done, total)
    writer.manifest.numbers |= numbers(connection, tables)


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    query: Any = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(query):
        yield list(row)


def _with_progress(rows: Iterator[Row], done: int, total: int, progress: Progress) -> Iterator[Row]:
    for number, row in enumerate(rows, done):
        if number % _ROWS_AT_ONCE == 0:
            progress(number, total)
        yield row
