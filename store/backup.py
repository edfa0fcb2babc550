"""Everything that the database holds into one file, while it is written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from domain.errors import PermanentError
from store import migrate
from store.archive import Manifest, Row, Writer, new_file, writing
from store.database import Database
from store.tables import count_rows, numbers, tables_of

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

    Nobody waits: readers and writers go on. An older schema is written as it is.
    Shape: `files` has each one's key and where it lies, and is asked for when the rows are written.

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
        rows = _told(_rows(connection, table), done, total, progress)
        writer.add_table(table.name, [column.name for column in table.columns], rows)
        done += writer.manifest.tables[table.name].rows
    progress(done, total)
    writer.manifest.numbers |= numbers(connection, tables)


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    query: Any = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(query):
        yield list(row)


def _told(rows: Iterator[Row], done: int, total: int, progress: Progress) -> Iterator[Row]:
    for number, row in enumerate(rows, done):
        if number % _ROWS_AT_ONCE == 0:
            progress(number, total)
        yield row
