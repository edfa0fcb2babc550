"""Statements of ISO 20022, camt.053, as a stream of XML without a document type.

Source: ISO 20022, BankToCustomerStatement, versions 02 to 13.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import BinaryIO, Final
from xml.parsers import expat

from domain.errors import InvalidInputError
from domain.text import quote
from imports.lines import BEGINNING, MAX_RECORD_CHARACTERS, Position
from imports.table import Cell, Record, limited, resumed

_BLOCK_BYTES = 1 << 16
_MAX_DEPTH = 50
_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,5})?")
_DIRECTIONS: Final = {"CRDT": 1, "DBIT": -1}
_DETAILS = "NtryDtls/TxDtls"


def is_camt053(start: str) -> bool:
    """Whether a file that begins with `start` is a statement of ISO 20022."""
    return start.lstrip().startswith("<") and ("camt.053" in start or "<BkToCstmrStmt" in start)


@dataclass(frozen=True, slots=True)
class Camt053Table:
    """The entries of all statements in a file. A batch of transactions is one entry, as it is booked."""

    file: BinaryIO
    columns: tuple[str, ...] = ("date", "amount", "currency", "payee", "description", "id", "status")
    roles: Mapping[str, str] = field(
        default_factory=lambda: {
            name: name for name in ("date", "amount", "currency", "payee", "description", "id")
        }
    )

    def records(self, start: Position = BEGINNING) -> Iterator[Record]:
        """Iterate over the records from `start`; XML has no other place to begin than its beginning."""
        return resumed(limited(self._records()), start)

    def _records(self) -> Iterator[Record]:
        reader = _Reader()
        self.file.seek(0)
        try:
            while block := self.file.read(_BLOCK_BYTES):
                reader.parser.Parse(block, False)
                yield from reader.take()
            reader.parser.Parse(b"", True)
        except expat.ExpatError as error:
            problem = f"is not XML: {expat.ErrorString(error.code)} in line {error.lineno}"
            raise InvalidInputError({"body": problem}) from error
        except (LookupError, ValueError) as error:
            raise InvalidInputError({"body": f"is in an encoding that is not supported ({error})"}) from error
        yield from reader.take()


class _Reader:
    """Collects the elements of each entry; keeps nothing else."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._pieces: list[str] = []
        self._characters = 0
        self._entry: dict[str, str] | None = None
        self._entry_depth = 0
        self._line = self._count = 0
        self._ready: list[Record] = []

    def take(self) -> list[Record]:
        """Return the records that are complete, once."""
        ready, self._ready = self._ready, []
        return ready

    def _refuse(self, *_: object) -> None:
        raise InvalidInputError({"body": "has a document type, which statements do not have"})

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._pieces.clear()
        if len(self._path) > _MAX_DEPTH:
            raise InvalidInputError({"body": f"has more than {_MAX_DEPTH} nested elements"})
        if self._entry is not None:
            if "Ccy" in attributes:
                self._entry.setdefault(f"{self._relative()}@Ccy", attributes["Ccy"])
        elif self._path[-1] == "Ntry":
            self._entry, self._entry_depth, self._characters = {}, len(self._path), 0
            self._line = self.parser.CurrentLineNumber

    def _text(self, text: str) -> None:
        if self._entry is None:
            return
        self._pieces.append(text)
        self._characters += len(text)
        if self._characters > MAX_RECORD_CHARACTERS:
            limit = f"{MAX_RECORD_CHARACTERS:,} characters"
            raise InvalidInputError({"body": f"has more than {limit} in the entry of line {self._line}"})

    def _end(self, _name: str) -> None:
        entry = self._entry
        if entry is not None:
            if len(self._path) == self._entry_depth:
                self._count += 1
                self._ready.append(_record(self._count, self._line, self.parser.CurrentLineNumber, entry))
                self._entry = None
            elif text := "".join(self._pieces).strip():
                self._add(entry, self._relative(), text)
        self._pieces.clear()
        self._path.pop()

    def _relative(self) -> str:
        return "/".join(self._path[self._entry_depth :])

    @staticmethod
    def _add(entry: dict[str, str], path: str, text: str) -> None:
        if path.endswith("RmtInf/Ustrd") and path in entry:
            entry[path] += f" {text}"
        else:
            entry.setdefault(path, text)


def _record(number: int, first: int, last: int, entry: Mapping[str, str]) -> Record:
    try:
        on, amount = _date(entry), _amount(entry)
    except ValueError as error:
        return Record(number, first, last, 0, (), str(error))
    cells: list[Cell] = [
        on,
        amount,
        entry.get("Amt@Ccy", ""),
        _payee(entry),
        entry.get(f"{_DETAILS}/RmtInf/Ustrd") or entry.get("AddtlNtryInf", ""),
        entry.get("AcctSvcrRef") or entry.get("NtryRef", ""),
        entry.get("Sts/Cd") or entry.get("Sts", ""),
    ]
    return Record(number, first, last, 0, cells)


def _date(entry: Mapping[str, str]) -> date:
    names = ("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm")  # a pending entry is not booked yet
    text = next((entry[name] for name in names if name in entry), None)
    if text is None:
        raise ValueError("has neither BookgDt nor ValDt")
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise ValueError(f"BookgDt {quote(text)!r} is not a date") from error


def _amount(entry: Mapping[str, str]) -> Decimal:
    text, direction = entry.get("Amt", ""), entry.get("CdtDbtInd", "")
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"Amt {quote(text)!r} is not an amount")
    if direction not in _DIRECTIONS:
        raise ValueError(f"CdtDbtInd {quote(direction)!r} is neither CRDT nor DBIT")
    return Decimal(text) * _DIRECTIONS[direction]


def _payee(entry: Mapping[str, str]) -> str:
    """Return the other party: the creditor of money out, the debtor of money in."""
    party = "Cdtr" if entry.get("CdtDbtInd") == "DBIT" else "Dbtr"
    parties = f"{_DETAILS}/RltdPties/{party}"
    return entry.get(f"{parties}/Nm") or entry.get(f"{parties}/Pty/Nm", "")
