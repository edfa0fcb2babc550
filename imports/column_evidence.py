"""What all records of a file say about the order of dates, the decimal separator, and the sign of money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from imports.amounts import SEPARATORS, Money, amount_readings
from imports.columns import MONEY
from imports.dates import DateOrder, date_readings
from imports.evidence import Evidence
from imports.table import Record


@dataclass(slots=True)
class ColumnEvidence:
    """Collects evidence from the columns whose role is known, in constant memory.

    Shape: `index` is the column of each role. Only records with a date count: a total says nothing.
    `positive` and `negative` count amounts by role; `dates` counts records with a date, of text or typed.
    """

    index: Mapping[str, int]
    order: Evidence[DateOrder, date] = field(
        default_factory=lambda: Evidence(tuple(DateOrder), date_readings)
    )
    decimal: Evidence[str, Money] = field(default_factory=lambda: Evidence(SEPARATORS, amount_readings))
    positive: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MONEY, 0))
    negative: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MONEY, 0))
    dates: int = 0
    _money: tuple[tuple[str, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        self._money = tuple((role, self.index[role]) for role in MONEY if role in self.index)

    def add(self, record: Record) -> None:
        """Take one record into account."""
        cells, on = record.cells, self.index.get("date")
        if on is None or on >= len(cells):
            return
        cell = cells[on]
        if isinstance(cell, str):
            if not date_readings(cell):
                return
            self.order.add(cell, record.line)
        self.dates += 1
        for role, place in self._money:
            if place < len(cells):
                self._add_money(role, cells[place], record.line)

    def _add_money(self, role: str, cell: object, line: int) -> None:
        if isinstance(cell, Decimal):
            amount = cell
        elif isinstance(cell, str) and (found := amount_readings(cell)):
            self.decimal.add(cell, line)
            amount = next(iter(found.values())).amount
        else:
            return
        if amount > 0:
            self.positive[role] += 1
        elif amount < 0:
            self.negative[role] += 1
