"""A file as a table: named columns, and records that are read as a stream. Every format is read as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import dropwhile, islice
from typing import Final, NamedTuple, Protocol

from domain.errors import InvalidInputError
from imports.lines import BEGINNING, Position

MAX_COLUMNS: Final = 1_000
MAX_RECORDS: Final = 2_000_000
_SAMPLE_RECORDS: Final = 100
_SAMPLE_CHARACTERS: Final = 1 << 18
Cell = str | Decimal | date
"""A cell is text, unless its format has types for numbers and dates."""


class Record(NamedTuple):
    """One record: its number and the number of its first line, both from 1, and its cells or its problem.

    Shape: reading continues behind it at `after`. A record with a `problem` has no cells; `is_last` means
    that nothing after it could be read.
    """

    number: int
    line: int
    end_line: int
    end_byte: int
    cells: Sequence[Cell]
    problem: str | None = None
    is_last: bool = False

    @property
    def after(self) -> Position:
        """Return the position after the record."""
        return Position(self.number, self.end_line, self.end_byte)


class Table(Protocol):
    """An open file.

    Shape: `columns` has one name per column; names may repeat or be empty. `roles` are the columns whose
    meaning the format itself states, by role.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""

    @property
    def roles(self) -> Mapping[str, str]:
        """Return the columns of a format that states their meaning."""

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the records from `start`, which is `Record.after` of an earlier one.

        Raises: InvalidInputError while iterating, if the file is not of its format or exceeds a limit.
        """


def first_records(records: Iterable[Record]) -> list[Record]:
    """Return the first records: at most 100, and no more once they have 262,144 characters."""
    found: list[Record] = []
    characters = 0
    for record in islice(records, _SAMPLE_RECORDS):
        found.append(record)
        characters += sum(len(cell) for cell in record.cells if isinstance(cell, str))
        if characters > _SAMPLE_CHARACTERS:
            break
    return found


def limited(records: Iterable[Record]) -> Iterator[Record]:
    """Yield `records`. Raises: InvalidInputError for more than `MAX_RECORDS`."""
    for record in records:
        if record.number > MAX_RECORDS:
            raise InvalidInputError({"body": f"has more than {MAX_RECORDS:,} records"})
        yield record


def resumed(records: Iterable[Record], start: Position) -> Iterator[Record]:
    """Return the records after `start`, in a format that must be read from its beginning."""
    return dropwhile(lambda record: record.number <= start.record, records)
