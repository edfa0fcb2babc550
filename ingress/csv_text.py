"""The bytes of a CSV file as text: UTF-8, UTF-16 or Windows-1252, as spreadsheets write it."""

from __future__ import annotations

import codecs

from domain.errors import InvalidInputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WORKBOOK = b"PK\x03\x04"  # Excel and LibreOffice keep theirs in a zip
_SAMPLE_BYTES = 256


def decode(content: bytes) -> str:
    """`content` as text, without a byte order mark.

    What is not UTF-8 and has no mark is UTF-16 where every other byte of its beginning is 0, else
    Windows-1252, which holds Latin-1's letters. UTF-8 with a damaged byte is refused: as Windows-1252 it
    would name other addresses. Raises: InvalidInputError for what is none of these.
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
        is_damaged = not content[: error.start].isascii()  # Windows-1252's first letter is no UTF-8 already
        return _decoded(content, "utf-8" if is_damaged else "windows-1252")


def _unmarked_utf16(sample: bytes) -> str | None:
    """ASCII in UTF-16 has a 0 in each second byte; two or more of them are no accident."""
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
