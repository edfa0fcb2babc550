"""The encodings of text files, detected from the bytes.

Source of the marks: the Unicode Standard, section 23.8.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO, Final

ENCODINGS: Final = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 256
_BLOCK_BYTES = 1 << 20
_LONGEST_BYTES = 4  # of a character in UTF-8
_HIGH = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The name of an encoding, and how many bytes of a byte order mark precede the text."""

    name: str
    mark_bytes: int = 0


def detect_encoding(file: BinaryIO, name: str | None = None) -> Encoding:
    """Detect the encoding of a seekable file, or only its mark if the encoding `name` is known.

    A file without a mark is UTF-16 if about every second byte of its beginning is 0. Otherwise its first
    character beyond ASCII decides between UTF-8 and Windows-1252, which includes the letters of ISO-8859-1. A
    later byte that is not valid is damage: as Windows-1252 it would be another text.
    """
    file.seek(0)
    start = file.read(_SAMPLE_BYTES)
    for mark, marked in _MARKS:
        if start.startswith(mark) and name in (None, marked):
            return Encoding(marked, len(mark))
    return Encoding(name or _unmarked_utf16(start) or _by_first_high_byte(file))


def _unmarked_utf16(sample: bytes) -> str | None:
    """ASCII in UTF-16 has a 0 in each second byte; two or more of them are not accidental."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 4 < len(sample) or max(even, odd) < 2:  # noqa: PLR2004
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _by_first_high_byte(file: BinaryIO) -> str:
    file.seek(0)
    while block := file.read(_BLOCK_BYTES):
        if block.isascii():
            continue
        found = _HIGH.search(block)
        start = found.start() if found else 0
        character = (block[start:] + file.read(_LONGEST_BYTES))[:_LONGEST_BYTES]
        return "utf-8" if _begins_with_utf8(character) else "windows-1252"
    return "utf-8"


def _begins_with_utf8(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start > 0
    return True
