"""Reads CSV files as spreadsheets write them: named columns, and records with the number of their first line.

`imports` detects the encoding and reads the cells; the columns are those of the caller.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from domain.errors import InvalidInputError
from imports.delimited import DelimitedRecords, Dialect, opening
from imports.text_encoding import detect_encoding

_WORKBOOK = b"PK\x03\x04"  # Excel and LibreOffice files are zip archives
_DELIMITERS = (",", ";", "\t")
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


class CsvReader:
    """Iterates over the records of a file: a line number, and a record or its errors.

    Shape: `known` columns in the order of a file without a header; trailing cells may be omitted unless their
    column is `required`. Blank rows and trailing blank columns are ignored.

    Raises: InvalidInputError for columns that are unknown, missing or repeated; while iterating too, for
    bytes that the encoding does not have, and for more than 10,000 records.
    """

    def __init__(self, content: bytes, known: Sequence[str], required: Collection[str]) -> None:
        if content.startswith(_WORKBOOK):
            raise InvalidInputError({"body": "is a workbook, such as .xlsx or .ods: save it as CSV"})
        self._columns = Columns(known, required)
        file = io.BytesIO(content)
        encoding = detect_encoding(file)
        line, start, announced = opening(file, encoding)
        dialect = Dialect(announced or likely_delimiter(line, self._columns))
        records = iter(DelimitedRecords(file, encoding, dialect, start))
        first = next(records, None)
        if first is not None and first.problem is not None:
            raise InvalidInputError({"header": first.problem})
        self._layout = self._columns.layout([] if first is None else list(map(str, first.cells)))
        self._records = records if first is None or self._layout.has_header else chain([first], records)

    def __iter__(self) -> Iterator[tuple[int, Record | InvalidInputError]]:
        count = 0
        for record in self._records:
            if record.problem is None:
                found = self._record([str(cell).strip() for cell in record.cells])
            else:
                found = InvalidInputError({"line": record.problem})
            if found is None:
                continue
            count += 1
            if count > MAX_RECORDS:
                raise InvalidInputError({"body": f"must have no more than {MAX_RECORDS:,} lines"})
            yield record.line, found

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
