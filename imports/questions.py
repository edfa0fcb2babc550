"""The questions of a preflight: what a file leaves open, in the terms of a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain.text import plural, quote
from imports.column_evidence import ColumnEvidence
from imports.columns import column_index, is_amount, is_date, reference
from imports.dates import DateOrder
from imports.delimited import DELIMITERS
from imports.evidence import Evidence
from imports.formats import OpenFile
from imports.profile import Profile
from imports.table import Cell, Record

_CHANGES: Final = ("amount", "debit", "credit")
_DECISIVE: Final = frozenset({"date", "indicator", "id", *_CHANGES})


class Question(Struct, frozen=True, kw_only=True):
    """What a person must decide: a key of the profile, the values that it may have, and cells in doubt."""

    field: str
    message: str
    options: tuple[str | bool, ...]
    examples: tuple[str, ...] = ()


def ask_columns(
    opened: OpenFile, given: Profile, found: Mapping[str, Sequence[str]], samples: Sequence[Record]
) -> tuple[dict[str, str], list[Question]]:
    """Return the column of each role that is clear, and a question for each that a person must name.

    Shape: `found` are the columns that may have each role. Of several descriptions, payees, currencies or
    balances the most telling is taken; columns of money are looked for only if `given` names none.
    Raises: InvalidInputError naming each column of `given` that the file does not have.
    """
    for role, name in given.columns.items():
        column_index(opened.table.columns, name, f"columns.{role}")
    stated = dict(opened.table.roles) | given.columns
    has_money = bool(stated.keys() & set(_CHANGES))
    open_roles = {
        role: names
        for role, names in found.items()
        if role not in stated and not (has_money and role in _CHANGES)
    }
    clear = {role: names[0] for role, names in open_roles.items() if len(names) == 1 or role not in _DECISIVE}
    columns = clear | given.columns
    known = columns.keys() | opened.table.roles.keys()
    questions = [
        _ask_column(role, open_roles[role])
        for role in ("date", *_CHANGES)
        if role in open_roles.keys() - known
    ]
    if "date" not in known and "date" not in open_roles:
        questions.append(_ask_column("date", _by_cells(opened, samples, is_date)))
    if not set(_CHANGES) & (known | open_roles.keys()):
        questions.append(_ask_column("amount", _by_cells(opened, samples, is_amount)))
    return columns, questions


def ask_values(
    opened: OpenFile, profile: Profile, evidence: ColumnEvidence
) -> tuple[Profile, list[Question]]:
    """Return the profile with what the cells decide, and a question for each key that they leave open."""
    questions: list[Question] = []
    if not opened.is_certain:
        questions.append(
            Question(field="delimiter", message="Several delimiters fit.", options=tuple(DELIMITERS))
        )
    decided: dict[str, object] = {}
    is_signed = "amount" in opened.table.roles
    for ask in (_ask_order, _ask_decimal, *(() if is_signed else (_ask_sign,))):
        value = ask(profile, evidence)
        if isinstance(value, Question):
            questions.append(value)
        else:
            decided |= value
    return msgspec.structs.replace(profile, **decided), questions


def _ask_column(role: str, options: Sequence[str]) -> Question:
    return Question(field=f"columns.{role}", message=f"Which column is the {role}?", options=tuple(options))


def _by_cells(opened: OpenFile, samples: Sequence[Record], test: Callable[[Cell], bool]) -> list[str]:
    """Return the columns in which most filled cells pass the test, else all."""
    columns, found = opened.table.columns, []
    for index in range(len(columns)):
        cells = [each.cells[index] for each in samples if index < len(each.cells)]
        given = [cell for cell in cells if not isinstance(cell, str) or cell.strip()]
        if given and sum(map(test, given)) * 2 > len(given):
            found.append(reference(columns, index))
    return found or [reference(columns, index) for index in range(len(columns))]


def _ask_order(profile: Profile, evidence: ColumnEvidence) -> Question | dict[str, object]:
    order = evidence.order
    if profile.date_format is not None or not order.read:
        name = profile.columns.get("date")
        if evidence.dates or name is None:
            return {}
        return Question(field="columns.date", message=f"{quote(name)!r} has no dates.", options=())
    if order.decided is not None:
        return {"date_format": order.decided}
    return Question(
        field="date_format",
        message=_doubt(order, "Dates can be read in several orders.", "No order reads all dates"),
        options=tuple(each.value for each in (order.remaining if order.contradiction is None else DateOrder)),
        examples=tuple(order.examples),
    )


def _ask_decimal(profile: Profile, evidence: ColumnEvidence) -> Question | dict[str, object]:
    decimal = evidence.decimal
    if profile.decimal is not None or not decimal.read:
        return {}
    if decimal.decided is not None:
        return {"decimal": decimal.decided}
    # Spreadsheets delimit with semicolons where the comma is decimal: 1.000 is a thousand there.
    if profile.delimiter == ";" and decimal.contradiction is None and "," not in decimal.marks:
        return {"decimal": ","}
    return Question(
        field="decimal",
        message=_doubt(
            decimal, "Separators may be decimal or group thousands.", "No decimal separator reads all amounts"
        ),
        options=tuple(decimal.options),
        examples=tuple(decimal.examples),
    )


def _doubt(evidence: Evidence[Any, Any], ambiguous: str, contradictory: str) -> str:
    if evidence.contradiction is None:
        return ambiguous
    line, text = evidence.contradiction
    return f"{contradictory}: {quote(text)!r} in line {line} contradicts those before."


def _ask_sign(profile: Profile, evidence: ColumnEvidence) -> Question | dict[str, object]:
    if profile.sign is not None:
        return {}
    roles = evidence.index.keys()
    if "amount" not in roles:
        return _ask_debit_credit(evidence) if {"debit", "credit"} & roles else {}
    if {"debit", "credit"} & roles:
        message = "The file has a column of amounts besides columns of debit and credit."
        return Question(field="sign", message=message, options=("signed", "debit_credit"))
    if "indicator" in roles:
        return {"sign": "indicator"}
    count = evidence.positive["amount"]
    if profile.invert is not None or evidence.negative["amount"] or not count:
        return {"sign": "signed"}
    what = plural(count, "amount is positive", "amounts are positive")
    message = f"No amount is negative; {what}. Are they money out (true) or money in (false)?"
    return Question(field="invert", message=message, options=(True, False))


def _ask_debit_credit(evidence: ColumnEvidence) -> Question | dict[str, object]:
    """The sign within a column of debits or credits says nothing, unless both signs occur in it."""
    mixed = [role for role in ("debit", "credit") if evidence.positive[role] and evidence.negative[role]]
    if not mixed:
        return {"sign": "debit_credit"}
    message = (
        f"The column of {' and that of '.join(mixed)} has amounts of both signs. debit_credit ignores the"
        " signs; with debit_credit_signed, a negative amount is reversed."
    )
    return Question(field="sign", message=message, options=("debit_credit", "debit_credit_signed"))
