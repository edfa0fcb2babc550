"""QIF, the interchange format of Quicken: lines that begin with a letter, and records that end with `^`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from imports.lines import BEGINNING, Lines, Position
from imports.table import Record, limited, resumed
from imports.text_encoding import Encoding

_FIELDS: Final = {
    "D": "date",
    "T": "amount",
    "U": "amount",
    "P": "payee",
    "M": "memo",
    "N": "number",
    "L": "category",
}
_MONEY_TYPES: Final = frozenset({"bank", "cash", "ccard", "oth a", "oth l"})
_INVESTMENTS: Final = "invst"


def is_qif(start: str) -> bool:
    """Whether a file that begins with `start` is QIF."""
    return start.lstrip().startswith(("!Type:", "!Account", "!Option:", "!type:"))


@dataclass(frozen=True, slots=True)
class QifTable:
    """The transactions of all accounts in a file; the order of dates and the decimal separator are open.

    Lists of accounts, categories and classes are no records; a transaction of investments has a problem.
    """

    file: BinaryIO
    encoding: Encoding
    columns: tuple[str, ...] = ("date", "amount", "payee", "memo", "number", "category")
    roles: Mapping[str, str] = field(
        default_factory=lambda: {"date": "date", "amount": "amount", "payee": "payee", "description": "memo"}
    )

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the records from `start`; the lines before it are read again for their type."""
        return resumed(limited(self._records()), start)

    def _records(self) -> Iterator[Record]:
        lines, number, kind = Lines(self.file, self.encoding), 0, ""
        found: dict[str, str] = {}
        first = lines.begin_record()
        for text in lines:
            line = text.rstrip("\r\n")
            if line.startswith("!"):
                kind = _kind(line, kind)
            elif line.strip() != "^":
                name = _FIELDS.get(line[:1])
                if name is not None:
                    first = first if found else lines.number
                    found.setdefault(name, line[1:].strip())
                continue
            if found and (record := self._record(number + 1, first, lines, found, kind)):
                number += 1
                yield record
            found = {}
            lines.begin_record()
        if found and (record := self._record(number + 1, first, lines, found, kind)):
            yield record

    def _record(
        self, number: int, first: int, lines: Lines, found: Mapping[str, str], kind: str
    ) -> Record | None:
        if kind == _INVESTMENTS:
            problem = "is a transaction of investments, which are not read"
            return Record(number, first, lines.number, lines.byte, (), problem)
        if kind not in _MONEY_TYPES:
            return None
        return Record(number, first, lines.number, lines.byte, [found.get(name, "") for name in self.columns])


def _kind(line: str, kind: str) -> str:
    """Return the type of the records after a line that begins with `!`; options change nothing."""
    name, _, value = line[1:].partition(":")
    match name.strip().casefold():
        case "type":
            return value.strip().casefold()
        case "account":
            return "account"
    return kind
