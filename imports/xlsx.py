"""Workbooks of Excel, read as a stream: the first sheet that is visible.

Source: ECMA-376. A zip entry yields no more bytes than its directory states, so limits on those hold.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from domain.errors import InvalidInputError
from imports.columns import filled
from imports.dialects import header_of, names_of
from imports.lines import BEGINNING, MAX_RECORD_CHARACTERS, Position
from imports.profile import Profile
from imports.table import MAX_COLUMNS, Cell, Record, first_records, limited, resumed

MAX_SHEET_BYTES: Final = 512 << 20
MAX_PART_BYTES: Final = 64 << 20
_MAX_PARTS = 1_000
_DOCTYPE = b"<!DOCTYPE"
_DOCTYPE_BYTES = 1024
_DIGITS = 15  # of a number in Excel
_CONTENTS = "[Content_Types].xml"
_DAMAGE: Final = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,  # a password
    SyntaxError,  # of XML
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class XlsxTable:
    """The first visible sheet of a workbook; numbers are `Decimal`, and dates are dates."""

    file: BinaryIO
    columns: tuple[str, ...]
    header_row: int
    roles: Mapping[str, str] = field(default_factory=dict)

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the rows behind the header, or from `start`; a sheet is read from its first row."""
        return resumed(limited(_rows(self.file)), max(start, Position(self.header_row)))


def open_xlsx(file: BinaryIO, profile: Profile) -> XlsxTable:
    """Open a workbook, and find its header.

    Raises: InvalidInputError if it is no workbook, exceeds a limit, or has not the stated header row.
    """
    _check(file)
    beginning = first_records(_rows(file))
    header = header_of(beginning, profile.header_row)
    if header is not None:
        return XlsxTable(file, names_of(header), header.line)
    width = max((len(record.cells) for record in beginning), default=0)
    if not any(filled(record.cells) for record in beginning):
        raise InvalidInputError({"body": "has no cells in its first sheet"})
    return XlsxTable(file, tuple(f"#{number}" for number in range(1, width + 1)), 0)


def _check(file: BinaryIO) -> None:
    """Refuse archives that unpack to more than the limits, and XML that may define entities."""
    with _damage_named(), zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if _CONTENTS not in archive.namelist():
            raise InvalidInputError({"body": "is an archive, but no .xlsx workbook"})
        if len(parts) > _MAX_PARTS:
            raise InvalidInputError({"body": f"has more than {_MAX_PARTS:,} parts"})
        for part in parts:
            _check_part(archive, part)


@contextmanager
def _damage_named() -> Iterator[None]:
    """Translate what zipfile and openpyxl raise for damaged files; errors of the disk pass."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise InvalidInputError({"body": "is a damaged workbook (it has no sheets)"}) from error
    except _DAMAGE as error:
        raise InvalidInputError({"body": f"is a damaged workbook ({type(error).__name__})"}) from error


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    is_sheet = part.filename.startswith("xl/worksheets/")
    limit_bytes = MAX_SHEET_BYTES if is_sheet else MAX_PART_BYTES
    if part.file_size > limit_bytes:
        problem = f"has a part of more than {limit_bytes >> 20} MB, {part.filename[:80]}"
        raise InvalidInputError({"body": problem})
    if part.filename.endswith((".xml", ".rels")):
        with archive.open(part) as content:
            if _DOCTYPE in content.read(_DOCTYPE_BYTES):
                raise InvalidInputError({"body": "has a document type, which workbooks do not have"})


def _rows(file: BinaryIO) -> Iterator[Record]:
    """Yield each row with its number; a row that is missing in the file is blank."""
    file.seek(0)
    with _damage_named():
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise InvalidInputError({"body": "has no visible sheet"})
        sheet: Any = sheets[0]
        sheet.reset_dimensions()  # some programs state a wrong size
        for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
            yield _record(number, values)


def _record(number: int, values: Sequence[object]) -> Record:
    cells = [_cell(value) for value in values]
    while cells and cells[-1] == "":
        cells.pop()
    if len(cells) > MAX_COLUMNS:
        problem = f"has {len(cells):,} cells; at most {MAX_COLUMNS:,} can be read"
        return Record(number, number, number, 0, (), problem)
    if sum(len(cell) for cell in cells if isinstance(cell, str)) > MAX_RECORD_CHARACTERS:
        return Record(number, number, number, 0, (), f"has more than {MAX_RECORD_CHARACTERS:,} characters")
    return Record(number, number, number, 0, cells)


def _number(value: float) -> Decimal:
    """Return a number as Excel shows it: 0.1 + 0.2 is 0.3."""
    return Decimal(format(value, f".{_DIGITS}g"))


_CONVERSIONS: Final[Mapping[type, Callable[[Any], Cell]]] = {
    type(None): lambda _: "",
    bool: lambda value: str(value).upper(),
    int: Decimal,
    float: _number,
    datetime: datetime.date,
    date: lambda value: value,
}


def _cell(value: object) -> Cell:
    return _CONVERSIONS.get(type(value), str)(value)
