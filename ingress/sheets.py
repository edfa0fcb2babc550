"""CSV files as spreadsheets write them, record by record, each with the number of its first line.

Source: RFC 4180, and what Excel, LibreOffice, Numbers and Google Sheets make of it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence

from domain.errors import InvalidInputError
from ingress.csv_dialect import Columns, announced_delimiter, likely_delimiter
from ingress.csv_text import decode

MAX_RECORDS = 10_000
Record = dict[str, str]
_FORMULA_TEXT = re.compile(r'="([^"]*)"')  # how people keep Excel from taking a text for a number
_PADDED_QUOTE = re.compile(r'"[ \u00a0]+(?=[,;\t\r\n]|$)')


class CsvReader:
    """Iterates over the records of a file: a line number, and a record or what is wrong with it.

    Shape: `known` columns in the order in which a file without a header has them; a cell may be left out at
    the end of a row unless its column is `required`. Blank rows and blank columns at the end do not count.

    Raises: InvalidInputError for another encoding, or for columns that are unknown, missing or repeated;
    while iterating, for more than 10,000 records.
    """

    def __init__(self, content: bytes, known: Sequence[str], required: Collection[str]) -> None:
        # Lines keep their endings, for the reader to see which of them are inside quotes.
        self._lines = _Lines(io.StringIO(decode(content), newline=""))
        self._columns = Columns(known, required)
        self._begin()

    def _begin(self) -> None:
        """Find the delimiter and the columns; the first row is kept where it is data."""
        line = self._lines.first()
        announced = announced_delimiter(line)
        if announced is not None:
            line = self._lines.first(after=line)
        self._delimiter = announced or likely_delimiter(line, self._columns)
        self._reader = self._read(self._lines)
        number = self._lines.begin_record()
        try:
            row = self._next() or []
        except csv.Error as error:
            raise InvalidInputError({"header": self._problem(error)}) from error
        self._layout = self._columns.layout(row)
        self._first = None if self._layout.has_header else (number, row)

    def __iter__(self) -> Iterator[tuple[int, Record | InvalidInputError]]:
        count = 0
        for line, row in self._rows():
            found = self._record(list(map(str.strip, row))) if isinstance(row, list) else row
            if found is None:
                continue
            count += 1
            if count > MAX_RECORDS:
                raise InvalidInputError({"body": f"must have no more than {MAX_RECORDS:,} lines"})
            yield line, found

    def _rows(self) -> Iterator[tuple[int, list[str] | InvalidInputError]]:
        if self._first is not None:
            yield self._first
        while True:
            line = self._lines.begin_record()
            try:
                cells = self._next()
            except csv.Error as error:
                opened = self._opened()
                yield opened[0] if opened else line, InvalidInputError({"line": self._problem(error)})
                if opened:
                    return
                continue
            if cells is None:
                return
            yield line, cells

    def _next(self) -> list[str] | None:
        """The next row, or None after the last. Raises: csv.Error unless it only has spaces after a quote."""
        try:
            return next(self._reader, None)
        except csv.Error:
            cells = self._again(_PADDED_QUOTE.sub('"', self._lines.record))
            if cells is None or self._opened():
                raise
            return cells

    def _again(self, record: str) -> list[str] | None:
        try:
            (cells,) = self._read(io.StringIO(record, newline=""))
        except (csv.Error, ValueError):
            return None
        return cells

    def _read(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, skipinitialspace=True, strict=True)

    def _problem(self, error: csv.Error) -> str:
        opened, (first, last) = self._opened(), self._lines.span
        if opened is not None:
            line, column = opened
            return (
                f"the quote that opens in line {line}, column {column}, is never closed;"
                " nothing after it was read"
            )
        lines = f", a quoted cell runs from line {first} to line {last}" if last > first else ""
        return f"cannot be read ({error}{lines})"

    def _opened(self) -> tuple[int, int] | None:
        return self._lines.opened_at(self._delimiter)

    def _record(self, cells: list[str]) -> Record | InvalidInputError | None:
        """What the cells of a row say; None for a blank row."""
        if not any(cells):
            return None
        names = self._layout.names
        cells = [_plain(cell) if cell[:1] == "=" else cell for cell in cells]
        if len(cells) == len(names):
            return dict(zip(names, cells, strict=True))
        strays = {
            f"column {number}": f"{cell[:40]!r} has no header"
            for number, cell in enumerate(cells[len(names) :], len(names) + 1)
            if cell
        }
        if strays:
            return InvalidInputError(strays)
        absent = [name for name in names[len(cells) :] if name in self._columns.required]
        if absent:
            return InvalidInputError(dict.fromkeys(absent, f"is missing: the row has {len(cells)} cells"))
        return dict(zip(names, cells, strict=False))


def _plain(cell: str) -> str:
    text = _FORMULA_TEXT.fullmatch(cell)
    return cell if text is None else text[1].strip()


class _Lines:
    """The lines of a file, numbered, with those of the record that is being read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._source = lines
        self._ahead: list[str] = []
        self._record: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else next(self._source)
        self.number += 1
        self._record.append(line)
        return line

    def first(self, after: str | None = None) -> str:
        """The next line that is not blank, which stays to be read; empty at the end."""
        if after is not None:
            next(self)
        for line in self:
            if line.strip(" \t\r\n,;"):
                self.number -= 1
                self._ahead.append(line)
                self.begin_record()
                return line
        return ""

    def begin_record(self) -> int:
        """Forget the record before; the number of the line on which the next one begins."""
        self._record.clear()
        return self.number + 1

    @property
    def record(self) -> str:
        """The text that was read since the record began."""
        return "".join(self._record)

    @property
    def span(self) -> tuple[int, int]:
        """The numbers of the first and the last line of the record."""
        return self.number - len(self._record) + 1, self.number

    def opened_at(self, delimiter: str) -> tuple[int, int] | None:
        """The line and the column, both from 1, of the quote that is still open; None where none is."""
        opened: tuple[int, int] | None = None
        column = 1
        for number, line in enumerate(self._record, self.span[0]):
            before = delimiter
            for character in line:
                if character == '"' and opened is not None:
                    closed, opened = opened, None
                elif character == '"' and before == '"':
                    opened = closed  # a doubled quote is text
                elif character == '"' and before == delimiter:
                    opened = number, column
                elif character == delimiter and opened is None:
                    column += 1
                if character != " " or before != delimiter:  # spaces before a cell do not count
                    before = character
        return opened
