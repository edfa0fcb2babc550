"""Import profiles: how a file is to be read. What a profile leaves out is detected, or asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain.errors import InvalidInputError
from domain.text import one_line
from imports.amounts import GROUPINGS, SEPARATORS
from imports.columns import ROLES
from imports.dates import DateOrder
from imports.delimited import DELIMITERS, QUOTES
from imports.text_encoding import ENCODINGS

SIGNS: Final = ("signed", "debit_credit", "debit_credit_signed", "indicator")
MAX_HEADER_ROW: Final = 100
_MAX_TEXTS = 50
_MAX_LENGTH = 200


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to read a file; None means that it is not decided.

    Shape: `header_row` is the line of the column names, 0 without one. `columns` is the column of each role:
    its name, or `#3` for the third. `sign` says where the direction of money stands: in the sign of the
    amount; in separate debit and credit columns, whose own signs count only with `debit_credit_signed`; or in
    an indicator column. `invert` negates every amount. Rows whose first text begins with one of `drop_rows`
    are skipped.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header_row: int | None = None
    columns: dict[str, str] = {}
    date_format: DateOrder | None = None
    decimal: str | None = None
    grouping: str | None = None
    sign: str | None = None
    invert: bool | None = None
    currency: str | None = None
    drop_rows: tuple[str, ...] = ()


def parse_profile(keys: Mapping[str, object]) -> Profile:
    """Return the profile with these keys; None is as good as a key that is left out.

    Raises: InvalidInputError naming every key that is unknown or has another value than it may.
    """
    problems = {name: "is not a key of a profile" for name in keys if name not in _CHECKS}
    values: dict[str, Any] = {}
    for name, value in keys.items():
        if value is None or name in problems:
            continue
        try:
            values[name] = _CHECKS[name](value)
        except ValueError as error:
            problems[name] = str(error)
    if not problems:
        problems = _conflicts(values)
    if problems:
        raise InvalidInputError(problems)
    return Profile(**values)


def _conflicts(values: Mapping[str, Any]) -> dict[str, str]:
    if "decimal" in values and values["decimal"] == values.get("grouping"):
        return {"grouping": "must differ from decimal"}
    if "delimiter" in values and values["delimiter"] == values.get("quote"):
        return {"quote": "must differ from delimiter"}
    return {}


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(
                f"must be one of {', '.join(msgspec.json.encode(each).decode() for each in allowed)}"
            )
        return value

    return check


def _header_row(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HEADER_ROW:
        raise ValueError(f"must be a whole number from 0 to {MAX_HEADER_ROW}; 0 if no row has the names")
    return value


def _columns(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a table of roles and columns")  # noqa: TRY004 - a problem of the input
    if wrong := [one_line(str(role)) for role in value if role not in ROLES]:
        raise ValueError(f"{wrong[0]!r} is not a role; the roles are {', '.join(ROLES)}")
    for role, column in value.items():
        if not isinstance(column, str) or not column.strip() or len(column) > _MAX_LENGTH:
            raise ValueError(f"{role} must be the name of a column, or its number such as #3")
    return dict(value)


def _currency(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError("must be a code of ISO 4217 such as EUR")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - a problem of the input
    return value


def _texts(value: object) -> tuple[str, ...]:
    texts = tuple(value) if isinstance(value, list | tuple) else ()
    is_sound = all(isinstance(each, str) and 0 < len(each.strip()) <= _MAX_LENGTH for each in texts)
    if not isinstance(value, list | tuple) or len(texts) > _MAX_TEXTS or not is_sound:
        raise ValueError(f"must be a list of at most {_MAX_TEXTS} texts")
    return texts


def _order(value: object) -> DateOrder:
    return DateOrder(_one_of(*DateOrder)(value))


_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "encoding": _one_of(*ENCODINGS),
    "delimiter": _one_of(*DELIMITERS),
    "quote": _one_of(*QUOTES),
    "header_row": _header_row,
    "columns": _columns,
    "date_format": _order,
    "decimal": _one_of(*SEPARATORS),
    "grouping": _one_of(*GROUPINGS, ""),
    "sign": _one_of(*SIGNS),
    "invert": _flag,
    "currency": _currency,
    "drop_rows": _texts,
}
