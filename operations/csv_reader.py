"""Reads CSV files as spreadsheets write them, record by record, each with the number of its first line.

It detects the encoding (UTF-8, UTF-16 or Windows-1252), the delimiter and the columns. Source: RFC 4180, and
the output of Excel, LibreOffice, Numbers and Google Sheets.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from domain.errors import InvalidInputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WORKBOOK = b"PK\x03\x04"  # Excel and LibreOffice files are zip archives
_SAMPLE_BYTES = 256


def decode(content: bytes) -> str:
    """Return `content` as text, without a byte order mark.

    Content that is neither UTF-8 nor marked is UTF-16 if every second byte of its beginning is 0, else
    Windows-1252, which includes Latin-1's letters. UTF-8 with a damaged byte is rejected: as Windows-1252 it
    would denote other addresses. Raises: InvalidInputError for any other encoding.
    """
    if content.startswith(_WORKBOOK):
        raise InvalidInputError({"body": "is a workbook, such as .xlsx or .ods: save it as CSV"})
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    unmarked = _unmarked_utf16(content[:_SAMPLE_BYTES])
    if unmarked is not None:
        return _decoded(content, unmarked)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # The first letter of Windows-1252 is already invalid UTF-8.
        is_damaged = not content[: error.start].isascii()
        return _decoded(content, "utf-8" if is_damaged else "windows-1252")


def _unmarked_utf16(sample: bytes) -> str | None:
    """ASCII in UTF-16 has a 0 in each second byte; two or more of them are not accidental."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 4 < len(sample) or max(even, odd) < 2:  # noqa: PLR2004
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "replace").count("\n") + 1
        wanted = "not UTF-8, as those before are" if encoding == "utf-8" else f"neither UTF-8 nor {encoding}"
        problem = f"has bytes in line {line} that are {wanted}"
        raise InvalidInputError({"body": problem}) from error


_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_SEP = re.compile(r'\s*"?sep=(.?)"?[\s,;]*', re.IGNORECASE)  # Excel's own first line
_PUNCTUATION = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file.

    Shape: `names` has one entry per column. Without `has_header` the first row is data.
    """

    names: tuple[str, ...]
    has_header: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """The allowed columns, in the order of a file without a header, and the required ones."""

    known: Sequence[str]
    required: Collection[str]

    def layout(self, first_row: Sequence[str]) -> Layout:
        """Return the layout of a file with this first row.

        Raises: InvalidInputError naming each column that is unknown, missing or repeated.
        """
        cells = _without_blank_end(first_row)
        if not any(map(self.named, cells)) and any("@" in cell for cell in cells):
            return Layout(self._in_order(cells), has_header=False)
        names = tuple(self.named(cell) or cell.strip() for cell in cells)
        problems = {
            name or f"column {number}": "is not a known column" if name else "has no name"
            for number, name in enumerate(names, 1)
            if name not in self.known
        }
        problems |= {name: "is a missing column" for name in sorted(self.required) if name not in names}
        counts = Counter(name for name in names if name)
        problems |= {name: "is a repeated column" for name, count in counts.items() if count > 1}
        if problems:
            raise InvalidInputError(problems)
        return Layout(names, has_header=True)

    def named(self, cell: str) -> str | None:
        """Return the column of a header cell, ignoring case, quotes, spaces and hyphens."""
        said = _bare(cell)
        return next((name for name in self.known if _bare(name) == said), None)

    def _in_order(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of a row without a header: all in order, or only the required ones."""
        required = tuple(name for name in self.known if name in self.required)
        names = required if len(cells) == len(required) else tuple(self.known[: len(cells)])
        is_clear = "@" in cells[0] and set(required) <= set(names) and len(cells) <= len(self.known)
        if not is_clear:
            wanted = ",".join(required)
            problem = f"is missing, and the first row is not {wanted}: begin with the names of the columns"
            raise InvalidInputError({"header": problem})
        return names


def announced_delimiter(line: str) -> str | None:
    """Return the delimiter of Excel's `sep=` line; None for any other line.

    Raises: InvalidInputError for an unsupported delimiter.
    """
    found = _SEP.fullmatch(line)
    if found is None:
        return None
    delimiter = found[1] or "\t"
    if delimiter not in _DELIMITERS:
        wanted = ", ".join(_DELIMITERS.values())
        raise InvalidInputError({"sep": f"announces {delimiter!r}; cells must be parted by one of {wanted}"})
    return delimiter


def likely_delimiter(line: str, columns: Columns) -> str:
    """Return the delimiter that yields the most column names in the first row, or else the most cells."""

    def likelihood(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        return sum(columns.named(cell) is not None for cell in cells), len(cells)

    return max(_DELIMITERS, key=likelihood)


def _without_blank_end(cells: Sequence[str]) -> list[str]:
    kept = [cell.strip() for cell in cells]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _bare(name: str) -> str:
    return _PUNCTUATION.sub("", name).casefold()


MAX_RECORDS = 10_000
Record = dict[str, str]
_FORMULA_TEXT = re.compile(r'="([^"]*)"')  # prevents Excel from reading a text as a number
_PADDED_QUOTE = re.compile(r'"[ \u00a0]+(?=[,;\t\r\n]|$)')


class CsvReader:
    """Iterates over the records of a file: a line number, and a record or its errors.

    Shape: `known` columns in the order of a file without a header; trailing cells may be omitted unless their
    column is `required`. Blank rows and trailing blank columns are ignored.

    Raises: InvalidInputError for another encoding, or for columns that are unknown, missing or repeated;
    while iterating, for more than 10,000 records.
    """

    def __init__(self, content: bytes, known: Sequence[str], required: Collection[str]) -> None:
        # Lines keep their endings, so that the reader sees which of them are inside quotes.
        self._lines = _Lines(io.StringIO(decode(content), newline=""))
        self._columns = Columns(known, required)
        self._begin()

    def _begin(self) -> None:
        """Detect the delimiter and the columns; keep the first row if it is data."""
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
        """Return the next row, or None after the last.

        Raises: csv.Error unless a quote is followed by spaces only.
        """
        try:
            return next(self._reader, None)
        except csv.Error:
            cells = self._reparse(_PADDED_QUOTE.sub('"', self._lines.record))
            if cells is None or self._opened():
                raise
            return cells

    def _reparse(self, record: str) -> list[str] | None:
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
        """Parse the cells of a row; None for a blank row."""
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
    """The numbered lines of a file, with those of the current record."""

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
        """Return the next nonblank line without consuming it; empty at the end."""
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
        """Begin the next record; return the number of its first line."""
        self._record.clear()
        return self.number + 1

    @property
    def record(self) -> str:
        """Return the text read since the record began."""
        return "".join(self._record)

    @property
    def span(self) -> tuple[int, int]:
        """Return the numbers of the first and the last line of the record."""
        return self.number - len(self._record) + 1, self.number

    def opened_at(self, delimiter: str) -> tuple[int, int] | None:
        """Return the line and the column, both from 1, of an unclosed quote; None without one."""
        opened: tuple[int, int] | None = None
        closed: tuple[int, int] | None = None
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
                if character != " " or before != delimiter:  # spaces before a cell are ignored
                    before = character
        return opened
