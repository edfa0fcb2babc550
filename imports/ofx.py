"""OFX and QFX statements: SGML of version 1, whose tags need not be closed, and XML of version 2.

Both are read by one scanner that knows tags and text only: it expands no entities but the characters of HTML.
Source: Open Financial Exchange 1.6 and 2.2.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import BinaryIO, Final

from domain.errors import InvalidInputError
from domain.text import quote
from imports.amounts import amount_readings
from imports.lines import BEGINNING, MAX_RECORD_CHARACTERS, Position
from imports.table import Cell, Record, limited, resumed
from imports.text_encoding import detect_encoding

_BLOCK_BYTES = 1 << 16
_TOKEN = re.compile(r"<(/?)([A-Za-z0-9_.]+)\s*>([^<]*)")
_CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>", re.DOTALL)
_CHARSET = re.compile(r"CHARSET:\s*([\w-]+)|<\?xml[^>]*encoding=[\"']([\w-]+)", re.IGNORECASE)
_CHARSETS: Final = {
    "1250": "windows-1250", "1251": "windows-1251", "1252": "windows-1252", "iso-8859-1": "iso-8859-1",
    "8859-1": "iso-8859-1", "iso-8859-2": "iso-8859-2", "iso-8859-15": "iso-8859-15",
    "windows-1250": "windows-1250", "windows-1251": "windows-1251", "windows-1252": "windows-1252",
}  # fmt: skip
_ENDS: Final = frozenset({"STMTTRN", "BANKTRANLIST"})
_SEPARATED = re.compile(r"[-+]?[0-9]+[.,][0-9]+")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]{1,6})?)?\s*(?:\[.*\])?")


def is_ofx(start: str) -> bool:
    """Whether a file that begins with `start` is OFX."""
    text = start.lstrip().upper()
    return text.startswith(("OFXHEADER", "<OFX>", "<?OFX")) or (text.startswith("<?XML") and "<OFX>" in text)


def ofx_encoding(file: BinaryIO, start: str) -> str:
    """Return the encoding of the text; that of the header only if the text is no UTF-8.

    Banks write 1252 into the header of a body in UTF-8, and NONE.
    """
    detected = detect_encoding(file).name
    stated = _CHARSET.search(start)
    if detected != "windows-1252" or stated is None:
        return detected
    return _CHARSETS.get((stated[1] or stated[2]).casefold(), detected)


@dataclass(frozen=True, slots=True)
class OfxTable:
    """The transactions of all statements in a file.

    Every one is a record: an id that is empty or occurs twice leaves none out.
    """

    file: BinaryIO
    encoding: str
    columns: tuple[str, ...] = ("date", "amount", "currency", "payee", "memo", "id", "type", "number")
    roles: Mapping[str, str] = field(
        default_factory=lambda: {
            "date": "date",
            "amount": "amount",
            "currency": "currency",
            "payee": "payee",
            "description": "memo",
            "id": "id",
        }
    )

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the records from `start`; the tags before it are read again for the currency."""
        return resumed(limited(self._records()), start)

    def _records(self) -> Iterator[Record]:
        number, first, currency = 0, 0, ""
        found: dict[str, str] | None = None
        for line, is_end, name, text in _tokens(self.file, self.encoding):
            begins = name == "STMTTRN" and not is_end
            if found is not None and (begins or (is_end and name in _ENDS)):
                number += 1
                yield _record(number, first, line, found, currency)
                found = None
            if begins:
                found, first = {}, line
            elif found is not None and name == "ORIGCURRENCY":
                found.setdefault("CURSYM", currency)  # the amount is not in the original currency
            elif found is not None and text and not is_end:
                found.setdefault(name, text)
            elif name == "CURDEF" and text:
                currency = text
        if found is not None:
            raise InvalidInputError({"body": f"ends within the transaction that begins in line {first}"})


def _tokens(file: BinaryIO, encoding: str) -> Iterator[tuple[int, bool, str, str]]:
    """Yield the line of each tag, whether it ends an element, its name, and the text behind it."""
    line, rest = 1, ""
    for block, is_last in _texts(file, encoding):
        text = _CDATA.sub(lambda found: html.escape(found[1]), rest + block)
        end = len(text) if is_last else _last_tag(text)
        done = 0
        for found in _TOKEN.finditer(text, 0, end):
            line += text.count("\n", done, found.start())
            done = found.start()
            yield line, bool(found[1]), found[2].upper(), html.unescape(found[3]).strip()
        line += text.count("\n", done, end)
        rest = text[end:]
        if len(rest) > MAX_RECORD_CHARACTERS:
            limit = f"{MAX_RECORD_CHARACTERS:,} characters"
            raise InvalidInputError({"body": f"has more than {limit} without a tag in line {line}"})


def _last_tag(text: str) -> int:
    """Return where the last tag begins, with the text behind it still to come; 0 without one."""
    end = text.rfind("<")
    while end > 0 and text[end + 1 : end + 2] in ("!", ""):  # may be a section of characters
        end = text.rfind("<", 0, end)
    return max(end, 0)


def _texts(file: BinaryIO, encoding: str) -> Iterator[tuple[str, bool]]:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    is_last = False
    while not is_last:
        block = file.read(_BLOCK_BYTES)
        is_last = not block
        try:
            text = decoder.decode(block, final=is_last)
        except UnicodeDecodeError as error:
            raise InvalidInputError({"body": f"has bytes that are not {encoding}"}) from error
        if "\0" in text:
            raise InvalidInputError({"body": "has a NUL character"})
        yield text, is_last


def _record(number: int, first: int, last: int, found: Mapping[str, str], currency: str) -> Record:
    try:
        on, amount = _date(found.get("DTPOSTED", "")), _amount(found.get("TRNAMT", ""))
    except ValueError as error:
        return Record(number, first, last, 0, (), str(error))
    cells: list[Cell] = [
        on,
        amount,
        found.get("CURSYM", currency).upper(),
        found.get("NAME", ""),
        found.get("MEMO", ""),
        found.get("FITID", ""),
        found.get("TRNTYPE", ""),
        found.get("CHECKNUM", ""),
    ]
    return Record(number, first, last, 0, cells)


def _date(text: str) -> date:
    found = _DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else date.fromisoformat(text[:10])
    except ValueError as error:
        raise ValueError(f"DTPOSTED {quote(text)!r} is not a date") from error


def _amount(text: str) -> Decimal:
    """Return an amount; the only separator in it is decimal, be it a comma or a point."""
    if _SEPARATED.fullmatch(text):
        return Decimal(text.replace(",", "."))
    values = {money.amount for money in amount_readings(text).values()}
    if len(values) != 1:
        raise ValueError(f"TRNAMT {quote(text)!r} is not an amount")
    return values.pop()
