"""The meaning of columns: roles, the names that banks give them, and the cells by which they are found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from domain.errors import InvalidInputError
from domain.text import quote
from imports.amounts import amount_readings
from imports.column_names import MONEY_IN, MONEY_OUT, NAMES
from imports.dates import date_readings
from imports.table import Cell, Record

ROLES: Final = (
    "date", "amount", "debit", "credit", "indicator", "currency", "payee", "description", "id", "balance",
)  # fmt: skip
MONEY: Final = ("amount", "debit", "credit", "balance")
_PUNCTUATION = re.compile(r"[\W_]+")


def _bare(name: str) -> str:
    return " ".join(_PUNCTUATION.sub(" ", name).casefold().split())


_ROLE_BY_NAME: Final = {_bare(name): role for role, names in NAMES.items() for name in names.split(";")}
_RANK: Final = {name: rank for rank, name in enumerate(_ROLE_BY_NAME)}


def role_of(name: str) -> str | None:
    """Return the role of a column that has this name in a header; None if the name says nothing."""
    return _ROLE_BY_NAME.get(_bare(name))


def candidates(columns: Sequence[str], samples: Sequence[Record]) -> dict[str, list[str]]:
    """Return the columns that may have each role: by their names, unless their cells say otherwise.

    Shape: the most telling name is first; a column whose name repeats is referred to by its number, such as
    `#3`. `samples` are some records.
    """
    found: dict[str, list[str]] = {}
    for index, name in sorted(enumerate(columns), key=lambda item: _RANK.get(_bare(item[1]), 0)):
        role = role_of(name)
        if role is not None and _fits(
            role, [each.cells[index] for each in samples if index < len(each.cells)]
        ):
            found.setdefault(role, []).append(reference(columns, index))
    return found


def reference(columns: Sequence[str], index: int) -> str:
    """Return the name of a column if it is unique, else its number such as `#3`."""
    name = columns[index]
    return name if name and columns.count(name) == 1 else f"#{index + 1}"


def _fits(role: str, cells: Sequence[Cell]) -> bool:
    """Whether a column with these cells can have the role; totals may stand among them."""
    test = _TESTS.get(role)
    given = [cell for cell in cells if not isinstance(cell, str) or cell.strip()]
    return test is None or not given or any(map(test, given))


def column_index(columns: Sequence[str], wanted: str, field: str) -> int:
    """Return the index of the column with this name, ignoring case; `#3` is the third column.

    Raises: InvalidInputError naming `field` if there is no such column, or more than one.
    """
    if re.fullmatch("#[1-9][0-9]{0,3}", wanted) and int(wanted[1:]) <= len(columns):
        return int(wanted[1:]) - 1
    found = [index for index, name in enumerate(columns) if name.strip() == wanted.strip()]
    found = found or [index for index, name in enumerate(columns) if _bare(name) == _bare(wanted)]
    if len(found) == 1:
        return found[0]
    problem = (
        "is the name of several columns: use #1 for the first" if found else "is not a column of the file"
    )
    raise InvalidInputError({field: f"{quote(wanted)!r} {problem}"})


def is_date(cell: Cell) -> bool:
    """Whether the cell has a date in some order."""
    return bool(date_readings(cell)) if isinstance(cell, str) else hasattr(cell, "year")


def is_amount(cell: Cell) -> bool:
    """Whether the cell has an amount with some decimal separator."""
    return bool(amount_readings(cell)) if isinstance(cell, str) else not hasattr(cell, "year")


def filled(cells: Iterable[Cell]) -> int:
    """Return how many cells are not blank."""
    return sum(bool(cell.strip()) if isinstance(cell, str) else True for cell in cells)


def is_currency(cell: Cell) -> bool:
    """Whether the cell is a code of ISO 4217 by its form."""
    return isinstance(cell, str) and bool(_CODE.fullmatch(cell.strip().upper()))


def direction(cell: Cell) -> int | None:
    """Return -1 for an indicator of money out, 1 for money in, None for any other cell."""
    return _DIRECTIONS.get(cell.strip().casefold().rstrip(".")) if isinstance(cell, str) else None


_CODE = re.compile("[A-Z]{3}")
_DIRECTIONS: Final = {
    text.strip(): sign for sign, texts in ((-1, MONEY_OUT), (1, MONEY_IN)) for text in texts.split(";")
}
_TESTS: Final[Mapping[str, Callable[[Cell], bool]]] = {
    "date": is_date,
    "currency": is_currency,
    "indicator": lambda cell: direction(cell) is not None,
    **dict.fromkeys(MONEY, is_amount),
}
