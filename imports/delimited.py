"""Files of delimited cells, such as CSV and TSV, record by record.

Source: RFC 4180, and the output of Excel, LibreOffice, Numbers and Google Sheets.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from domain.errors import InvalidInputError
from imports.lines import BEGINNING, Lines, Position
from imports.table import MAX_COLUMNS, MAX_RECORDS, Record
from imports.text_encoding import Encoding

DELIMITERS: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
QUOTES: Final = ('"', "'")
_SEP = re.compile(r'\s*"?sep=(.?)"?[\s,;]*', re.IGNORECASE)  # Excel's own first line


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are delimited and quoted."""

    delimiter: str = ","
    quote: str = '"'


def announced_delimiter(line: str) -> str | None:
    """Return the delimiter of Excel's `sep=` line; None for any other line.

    Raises: InvalidInputError for an unsupported delimiter.
    """
    found = _SEP.fullmatch(line)
    if found is None:
        return None
    delimiter = found[1] or "\t"
    if delimiter not in DELIMITERS:
        wanted = ", ".join(DELIMITERS.values())
        raise InvalidInputError({"sep": f"announces {delimiter!r}; cells must be parted by one of {wanted}"})
    return delimiter


class Opening(NamedTuple):
    """Where a file begins: its first line that is neither blank nor `sep=`, and the position before it.

    Shape: `delimiter` is the one that `sep=` announces. `line` is empty if the file has none.
    """

    line: str
    start: Position
    delimiter: str | None


def opening(file: BinaryIO, encoding: Encoding) -> Opening:
    """Return where a seekable file begins. Raises: as `announced_delimiter`."""
    lines, announced, start = Lines(file, encoding), None, BEGINNING
    for line in lines:
        lines.begin_record()
        if line.strip(" \t\r\n,;"):
            found = None if announced else announced_delimiter(line)
            if found is None:
                return Opening(line, start, announced)
            announced = found
        start = Position(0, lines.number, lines.byte)
    return Opening("", start, announced)


class DelimitedRecords:
    """Iterates over the records of a seekable file from `start`; a blank line is a record without cells.

    A record that cannot be read has a problem. Reading continues behind it, unless a quote is never closed.

    Raises: InvalidInputError while iterating, as `Lines` does, and for more than `MAX_RECORDS` records.
    """

    def __init__(
        self, file: BinaryIO, encoding: Encoding, dialect: Dialect, start: Position = BEGINNING
    ) -> None:
        self._file = file
        self._lines = Lines(file, encoding, start)
        self._dialect = dialect
        self._count = start.record
        quote = re.escape(dialect.quote)
        self._padded_quote = re.compile(rf"{quote}[ \u00a0]+(?=[{re.escape(dialect.delimiter)}\r\n]|$)")

    def __iter__(self) -> Iterator[Record]:
        lines, rows = self._lines, self._read(iter(self._lines))
        for number in range(self._count + 1, MAX_RECORDS + 1):
            line = lines.begin_record()
            try:
                cells = next(rows, None)
            except csv.Error as error:
                cells = self._reparsed()
                if cells is None:
                    yield (record := self._unreadable(number, line, error))
                    if record.is_last:
                        return
                    continue
            if cells is None:
                return
            if len(cells) > MAX_COLUMNS:
                problem = f"has {len(cells):,} cells; at most {MAX_COLUMNS:,} can be read"
                yield Record(number, line, lines.number, lines.byte, (), problem)
            else:
                yield Record(number, line, lines.number, lines.byte, cells)
        if next(rows, None) is not None:
            raise InvalidInputError({"body": f"has more than {MAX_RECORDS:,} records"})

    def _read(self, lines: Iterator[str]) -> Iterator[list[str]]:
        delimiter, quote = self._dialect.delimiter, self._dialect.quote
        return csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=True)

    def _reparsed(self) -> list[str] | None:
        """Read the record again without spaces after its quotes; None unless that makes it valid."""
        if self._opened():
            return None
        text = self._padded_quote.sub(self._dialect.quote, "".join(self._lines.record))
        try:
            (cells,) = self._read(io.StringIO(text, newline=""))
        except (csv.Error, ValueError):
            return None
        return cells

    def _unreadable(self, number: int, line: int, error: csv.Error) -> Record:
        lines, opened = self._lines, self._opened()
        if opened is not None:
            problem = (
                f"the quote that opens in line {opened[0]}, column {opened[1]}, is never closed;"
                " nothing after it was read"
            )
            end_byte = self._file.seek(0, io.SEEK_END)  # nothing is read after it, also when resumed
            return Record(number, opened[0], lines.number, end_byte, (), problem, is_last=True)
        is_long = lines.number > line
        span = f", a quoted cell runs from line {line} to line {lines.number}" if is_long else ""
        return Record(number, line, lines.number, lines.byte, (), f"cannot be read ({error}{span})")

    def _opened(self) -> tuple[int, int] | None:
        """Return the line and the column, both from 1, of an unclosed quote; None without one."""
        delimiter, quote = self._dialect.delimiter, self._dialect.quote
        opened: tuple[int, int] | None = None
        closed: tuple[int, int] | None = None
        column = 1
        record = self._lines.record
        for number, line in enumerate(record, self._lines.number - len(record) + 1):
            before = delimiter
            for character in line:
                if character == quote and opened is not None:
                    closed, opened = opened, None
                elif character == quote and before == quote:
                    opened = closed  # a doubled quote is text
                elif character == quote and before == delimiter:
                    opened = number, column
                elif character == delimiter and opened is None:
                    column += 1
                if character != " " or before != delimiter:  # spaces before a cell are ignored
                    before = character
        return opened
