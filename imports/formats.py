"""The formats of files: which one a file has, and the file as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Final

from domain.errors import InvalidInputError
from imports.camt053 import Camt053Table, is_camt053
from imports.delimited import DelimitedRecords
from imports.dialects import Layout, detect_layout
from imports.lines import BEGINNING, Position
from imports.ofx import OfxTable, is_ofx, ofx_encoding
from imports.profile import Profile
from imports.qif import QifTable, is_qif
from imports.table import Record, Table
from imports.text_encoding import Encoding, detect_encoding

_SAMPLE_BYTES: Final = 4096
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ZIP = b"PK\x03\x04"
_FOREIGN: Final = (
    (
        b"\xd0\xcf\x11\xe0",
        "is an Excel workbook that is old or has a password: save it as .xlsx without one, or as CSV",
    ),
    (b"%PDF", "is a PDF: download the statement in another format"),
    (b"\x1f\x8b", "is compressed: unpack it first"),
)


class Format(StrEnum):
    """A format of files."""

    DELIMITED = "delimited"
    XLSX = "xlsx"
    OFX = "ofx"
    QIF = "qif"
    CAMT053 = "camt.053"


_MEDIA_TYPES: Final = {Format.OFX: "application/x-ofx", Format.QIF: "application/qif"}


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file as a table.

    Shape: `detected` are keys of a profile. `is_certain` is False if another delimiter fits as well.
    """

    format: Format
    table: Table
    detected: Mapping[str, Any] = field(default_factory=dict)
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A file of delimited cells."""

    file: BinaryIO
    encoding: Encoding
    layout: Layout
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names in the header, or the numbers of the columns without one."""
        return self.layout.columns

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the records behind the header, or from `start`."""
        start = self.layout.start if start == BEGINNING else start
        return iter(DelimitedRecords(self.file, self.encoding, self.layout.dialect, start))


def open_file(file: BinaryIO, profile: Profile) -> OpenFile:
    """Detect the format of a seekable file, and open it as a table.

    Raises: InvalidInputError for a file that no reader takes.
    """
    beginning = _beginning(file)
    if beginning.startswith(_ZIP):
        from imports.xlsx import open_xlsx  # noqa: PLC0415 - openpyxl takes 60 ms to import

        table = open_xlsx(file, profile)
        return OpenFile(Format.XLSX, table, {"header_row": table.header_row})
    encoding = detect_encoding(file, profile.encoding)
    start = beginning[encoding.mark_bytes :].decode(encoding.name, "replace")
    return _open_text(file, profile, encoding, start)


def media_type(file: BinaryIO) -> str:
    """Detect the media type of a seekable file by its content, in constant memory.

    An archive counts as a workbook: only reading it shows whether it is one.
    Raises: InvalidInputError for a file that no reader takes.
    """
    if _beginning(file).startswith(_ZIP):
        return _SPREADSHEET
    opened = open_file(file, Profile())
    if opened.format is Format.DELIMITED:
        return "text/tab-separated-values" if opened.detected["delimiter"] == "\t" else "text/csv"
    return _MEDIA_TYPES.get(opened.format, "application/xml")


def _beginning(file: BinaryIO) -> bytes:
    """Return the first bytes. Raises: InvalidInputError for a format that is known and not read."""
    file.seek(0)
    beginning = file.read(_SAMPLE_BYTES)
    for mark, problem in _FOREIGN:
        if beginning.startswith(mark):
            raise InvalidInputError({"body": problem})
    return beginning


def _open_text(file: BinaryIO, profile: Profile, encoding: Encoding, start: str) -> OpenFile:
    if is_camt053(start):
        return OpenFile(Format.CAMT053, Camt053Table(file))
    if is_ofx(start):
        name = profile.encoding or ofx_encoding(file, start)
        return OpenFile(Format.OFX, OfxTable(file, name), {"encoding": name})
    if is_qif(start):
        return OpenFile(Format.QIF, QifTable(file, encoding), {"encoding": encoding.name})
    if start.lstrip().startswith(("<?xml", "<!DOCTYPE", "<html")):
        raise InvalidInputError({"body": "is XML or HTML, but neither OFX nor camt.053"})
    layout = detect_layout(file, encoding, profile)
    detected = {
        "encoding": encoding.name,
        "delimiter": layout.dialect.delimiter,
        "quote": layout.dialect.quote,
        "header_row": layout.header_row,
    }
    table = DelimitedTable(file, encoding, layout)
    return OpenFile(Format.DELIMITED, table, detected, layout.is_certain)
