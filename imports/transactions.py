"""Rows of money: a record of a table, read by a profile that decides everything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from domain.errors import InvalidInputError
from domain.text import printable, quote
from imports.amounts import Money, read_amount
from imports.columns import column_index, direction, filled, is_amount, is_currency, reference
from imports.dates import DateOrder, date_readings, read_date
from imports.lines import BEGINNING, Position
from imports.profile import Profile
from imports.table import Cell, Record, Table

_MARKERS: Final = frozenset("*=#-")
_MARKER_LENGTH: Final = 4
_TOTAL = re.compile(
    r"(?:(?:grand |sub)?totale?s?|totaal|summe|suma|razem|sum|(?:\w+ )?(?:balance|saldo)|solde|end of file"
    r"|turnover|käive|umsatzsumme|number of transactions|records?|rows?)\b",
    re.IGNORECASE,
)
_BALANCE = re.compile(
    r"(?:(?:opening|closing|beginning|starting|ending|previous) balance|balance (?:brought|carried) forward"
    r"|(?:begin|eind|end|anfangs|alg|lõpp)saldo|saldo (?:początkowe|końcowe|iniziale|finale|inicial|final)"
    r"|total (?:credits|debits|deposits|withdrawals)|(?:account )?turnover|käive|apgrozījums|apyvarta)"
    r"(?:\W+(?:on|per|am|at|as of|of))?[\W\d]*",
    re.IGNORECASE,
)
_SINGLE_CELL_COLUMNS: Final = 3


class Row(NamedTuple):
    """One transaction; a negative amount is money out. `currency` is None if the file does not state it."""

    record: Record
    date: date
    amount: Decimal
    currency: str | None
    description: str
    provider_id: str | None
    balance: Decimal | None


class BadRow(NamedTuple):
    """A record that is no valid transaction: the name of the column ("" for the whole record) and why."""

    record: Record
    column: str
    reason: str


class SkippedRow(NamedTuple):
    """A record that is not meant to be a transaction, and why: a blank line, a total, an end marker."""

    record: Record
    reason: str


class _CellError(Exception):
    """A cell that cannot be read: its role, and why."""

    def __init__(self, role: str, reason: str) -> None:
        super().__init__(reason)
        self.role = role
        self.reason = reason


class Transactions:
    """Reads the records of `table` by `profile`.

    Raises: InvalidInputError naming each key of the profile that does not fit the table or is not decided.
    """

    def __init__(self, table: Table, profile: Profile) -> None:
        self._table = table
        self._profile = profile
        columns = dict(table.roles) | profile.columns
        self._columns = columns
        self._index = {
            role: column_index(table.columns, name, f"columns.{role}") for role, name in columns.items()
        }
        self._names = [reference(table.columns, index) for index in range(len(table.columns))]
        self._drop = tuple(text.casefold() for text in profile.drop_rows)
        self._sign = profile.sign or _implied_sign(columns)
        _require(self._sign, columns)

    def __iter__(self) -> Iterator[Row | BadRow | SkippedRow]:
        return self.rows()

    def rows(self, start: Position = BEGINNING) -> Iterator[Row | BadRow | SkippedRow]:
        """Iterate over the rows from `start`, which is `record.after` of an earlier row."""
        return map(self.read, self._table.records(start))

    def raw(self, record: Record) -> dict[str, str]:
        """Return the cells of a record by the names of their columns; a cell without a name by its number."""
        names = dict(enumerate(self._names))
        return {names.get(index, f"#{index + 1}"): str(cell) for index, cell in enumerate(record.cells)}

    def read(self, record: Record) -> Row | BadRow | SkippedRow:
        """Return the transaction in a record, what is wrong with it, or why it is skipped."""
        if record.problem is not None:
            return BadRow(record, "", record.problem)
        try:
            if self._drop and (reason := self._dropped(record)):
                return SkippedRow(record, reason)
            on = self._date(record)
            payee, description = self._text(record, "payee"), self._text(record, "description")
            if any(map(_BALANCE.fullmatch, (payee, description, _first_text(record.cells)))):
                return SkippedRow(record, "is a balance or a total")
            money = self._amount(record)
            currency = self._currency(record, money)
            balance = self._money(record, "balance")
        except _CellError as error:
            if error.role == "date" and (reason := self._reason_to_skip(record)):
                return SkippedRow(record, reason)
            return BadRow(record, self._columns.get(error.role, error.role), error.reason)
        said = description if payee in description else f"{payee} {description}".rstrip()
        provider_id = self._text(record, "id") or None
        return Row(record, on, money.amount, currency, said, provider_id, balance and balance.amount)

    def _cell(self, record: Record, role: str) -> Cell:
        index = self._index.get(role)
        return "" if index is None or index >= len(record.cells) else record.cells[index]

    def _text(self, record: Record, role: str) -> str:
        return printable(str(self._cell(record, role))) if role in self._index else ""

    def _date(self, record: Record) -> date:
        cell = self._cell(record, "date")
        if isinstance(cell, date):
            return cell
        if isinstance(cell, str) and not cell.strip():
            raise _CellError("date", "has no date")
        if not isinstance(cell, str):
            raise _CellError("date", f"{cell} is a number, not a date")
        order = self._profile.date_format
        if order is None and date_readings(cell):
            raise InvalidInputError({"date_format": "must be decided first"})
        try:
            return read_date(cell, order or DateOrder.YMD)
        except ValueError as error:
            raise _CellError("date", str(error)) from error

    def _money(self, record: Record, role: str) -> Money | None:
        """Return the amount in a cell; None if it is blank."""
        cell = self._cell(record, role)
        if isinstance(cell, Decimal):
            return Money(cell)
        if isinstance(cell, date):
            raise _CellError(role, f"{cell} is a date, not an amount")
        if not cell or cell.isspace():
            return None
        try:
            return read_amount(
                cell.strip(), self._profile.decimal or _any_decimal(cell), self._profile.grouping
            )
        except ValueError as error:
            raise _CellError(role, str(error)) from error

    def _amount(self, record: Record) -> Money:
        if self._sign == "signed":
            found = self._money(record, "amount")
        elif self._sign == "indicator":
            found = self._indicated(record)
        else:
            found = self._debit_or_credit(record)
        if found is None:
            raise _CellError("amount", "has no amount")
        return found._replace(amount=-found.amount) if self._profile.invert else found

    def _indicated(self, record: Record) -> Money | None:
        found, cell = self._money(record, "amount"), self._cell(record, "indicator")
        sign = direction(cell)
        if sign is None:
            raise _CellError("indicator", f"{quote(str(cell))!r} does not say whether money goes in or out")
        if found is not None and found.amount < 0 < sign:
            raise _CellError("amount", f"{found.amount} is negative, but {quote(str(cell))!r} is money in")
        return found and found._replace(amount=abs(found.amount) * sign)

    def _debit_or_credit(self, record: Record) -> Money | None:
        debit, credit = self._money(record, "debit"), self._money(record, "credit")
        if debit and credit and debit.amount and credit.amount:
            raise _CellError("debit", "has a debit and a credit in one row")
        is_credit = credit is not None and (debit is None or bool(credit.amount))
        found = credit if is_credit else debit
        if found is None:
            return None
        size = found.amount if self._sign == "debit_credit_signed" else abs(found.amount)
        return found._replace(amount=size if is_credit else -size)

    def _currency(self, record: Record, money: Money) -> str | None:
        stated = self._text(record, "currency").upper()
        if stated and not is_currency(stated):
            raise _CellError("currency", f"{quote(stated)!r} is not a currency")
        if stated and money.currency and stated != money.currency:
            raise _CellError("currency", f"is {stated}, but the amount is in {money.currency}")
        return stated or money.currency or self._profile.currency

    def _dropped(self, record: Record) -> str | None:
        text = _first_text(record.cells).casefold()
        found = next((each for each in self._drop if text.startswith(each)), None)
        return found and f"begins with {quote(found)!r} (drop_rows)"

    def _reason_to_skip(self, record: Record) -> str | None:
        """Return why a row without a date is not meant to be a transaction; None if it may be one."""
        text, count = _first_text(record.cells), filled(record.cells)
        if not count:
            return "is blank"
        if len(text) >= _MARKER_LENGTH and _MARKERS.issuperset(text[:2] + text[-2:]):
            return "is an end marker"
        if _TOTAL.match(text):
            return "is a total or a balance"
        if count == 1 and len(self._table.columns) >= _SINGLE_CELL_COLUMNS and not is_amount(text):
            return "has a single cell, which is neither a date nor an amount"
        return None


def _first_text(cells: Sequence[Cell]) -> str:
    return next((text for cell in cells if (text := str(cell).strip())), "")


def _implied_sign(columns: Mapping[str, str]) -> str:
    if "amount" not in columns:
        return "debit_credit"
    return "indicator" if "indicator" in columns else "signed"


def _require(sign: str, columns: Mapping[str, str]) -> None:
    needed = {"signed": ("amount",), "indicator": ("amount", "indicator")}.get(sign, ())
    problems = {
        f"columns.{role}": "must be decided first" for role in ("date", *needed) if role not in columns
    }
    if not needed and not {"debit", "credit"} & columns.keys():
        problems["columns.amount"] = "must be decided first"
    if problems:
        raise InvalidInputError(problems)


def _any_decimal(cell: str) -> str:
    """Return a decimal separator for an amount without separators; no other may be read by chance."""
    if "." in cell or "," in cell:
        raise InvalidInputError({"decimal": "must be decided first"})
    return "."
