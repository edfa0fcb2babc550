"""Restores a backup into a database of any supported kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, Table, func, insert, select

from domain.errors import PermanentError
from store import audit, migrate, opt_outs, schema
from store.audit import AuditEntry
from store.backup.archive import Reader, Row, UnusableArchiveError
from store.backup.dump import Progress, count_rows, drop, former_names, numbers, resume_sequences, tables_of
from store.database import Database

_ROWS_AT_ONCE = 1000
_OF_NEW_INSTALLATIONS = ("installation.init", "backup.write")


class NotEmptyError(PermanentError):
    """The database is not empty, and replacing it was not requested."""


def check(database: Database, archive: Reader, *, replace: bool) -> None:
    """Raise the error with which `restore` would refuse `archive` or `database`; writes nothing.

    Raises: NotEmptyError unless `replace`; UnknownSchemaError.
    """
    _check_schema(archive)
    with database.read() as connection:
        _check_room(connection, tables_of(connection), replace=replace)


def restore(
    database: Database, archive: Reader, *, replace: bool, progress: Progress, entry: AuditEntry | None = None
) -> None:
    """Replace the contents of `database` with those of `archive`, in one transaction, and upgrade the schema.

    Rows keep their numbers, and no number that the backup or the replaced database ever assigned is reused.
    Opt-outs and suppressions of the replaced database are kept in addition to those of the backup. The job
    engine's records are dropped: they describe another point in time, in which the restored jobs have ended.
    Unfinished jobs start over.

    Raises: NotEmptyError unless `replace`; UnusableArchiveError, UnknownSchemaError.
    """
    _check_schema(archive)
    with database.write() as connection:
        migrate.lock(connection)
        before = tables_of(connection)
        said = opt_outs.statements(connection, [table.name for table in before])
        _check_room(connection, before, replace=replace)
        names = former_names(connection)
        replaced = {names.get(name, name): last for name, last in numbers(connection, before).items()}
        drop(connection, before)
        migrate.upgrade_to(connection, archive.manifest.schema)
        tables = tables_of(connection)
        _fill(connection, tables, archive, progress)
        resume_sequences(connection, tables, archive.manifest.numbers)
        migrate.upgrade_to(connection, "head")  # it may rename tables
        tables = tables_of(connection)
        restored = numbers(connection, tables)
        highest = {name: max(last, replaced.get(name, 0)) for name, last in restored.items()}
        resume_sequences(connection, tables, replaced | highest)
        opt_outs.keep(connection, said)
        audit.write(connection, entry)


def _check_schema(archive: Reader) -> None:
    version = archive.manifest.schema
    if not migrate.is_known(version):
        raise migrate.UnknownSchemaError(
            f"the backup has schema {version}, and this Rollcall knows those up to {migrate.head()}:"
            f" restore it with release {archive.manifest.release} or a newer one"
        )


def _check_room(connection: Connection, tables: list[Table], *, replace: bool) -> None:
    """Raise NotEmptyError unless `replace`; entries that a new installation has already do not count."""
    others = [table for table in tables if table.name != schema.audit.name]
    entries = [table for table in tables if table.name == schema.audit.name]
    kept = [select(func.count()).where(table.c.action.not_in(_OF_NEW_INSTALLATIONS)) for table in entries]
    if not replace and (count_rows(connection, others) or any(map(connection.scalar, kept))):
        raise NotEmptyError("the database is not empty; --replace deletes what it holds")


def _fill(connection: Connection, tables: list[Table], archive: Reader, progress: Progress) -> None:
    contents = archive.manifest.tables
    total, done = sum(each.rows for each in contents.values()), 0
    unknown = contents.keys() - {table.name for table in tables}
    if unknown:
        raise UnusableArchiveError(f"its schema has no table {', '.join(sorted(unknown))}")
    for table in tables:
        if table.name not in contents:
            continue
        columns = contents[table.name].columns
        if strange := set(columns) - set(table.columns.keys()):
            raise UnusableArchiveError(f"its table {table.name} has no column {', '.join(sorted(strange))}")
        for rows in _batches(archive.rows(table.name)):
            connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])
            done += len(rows)
            progress(done, total)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        yield batch
