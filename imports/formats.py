"""The formats of files: which one a file has, and the file as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Final

from domain.errors import InvalidInputError
from imports.delimited import DelimitedRecords
from imports.dialects import Layout, detect_layout
from imports.lines import BEGINNING, Position
from imports.profile import Profile
from imports.table import Record, Table
from imports.text_encoding import Encoding, detect_encoding

_SAMPLE_BYTES: Final = 4096
_FOREIGN: Final = (
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook: save it as .xlsx or CSV"),
    (b"%PDF", "is a PDF: download the statement in another format"),
    (b"\x1f\x8b", "is compressed: unpack it first"),
)


class Format(StrEnum):
    """A format of files."""

    DELIMITED = "delimited"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file as a table, and what was detected; `layout` only for delimited cells."""

    format: Format
    table: Table
    encoding: Encoding | None = None
    layout: Layout | None = None


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
    for mark, problem in _FOREIGN:
        if _start(file).startswith(mark):
            raise InvalidInputError({"body": problem})
    encoding = detect_encoding(file, profile.encoding)
    layout = detect_layout(file, encoding, profile)
    return OpenFile(Format.DELIMITED, DelimitedTable(file, encoding, layout), encoding, layout)


def _start(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_SAMPLE_BYTES)
