"""Forms: frozen dataclasses whose annotations say how each field is read.

    class WatchForm:
        email: Annotated[str, address]
        min_seats: Annotated[int | None, integer(1, MAX_SEATS)] = None

A rule (`ingress.fields`) reads what was given. A field without a default must be given. A name that Python
keeps for itself has a `_` at its end that the world does not see, as in `for_`.
"""

from __future__ import annotations

import functools
import keyword
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct

from domain.errors import InvalidInputError
from ingress.rules import Rule
from operations.inputs import decode_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Nothing:
    """The form without fields."""


def parse(form: Any, given: Mapping[str, object], **rules: Rule[Any]) -> Any:
    """Parse `given` as a `form`; `rules` override the form's own.

    Raises: InvalidInputError naming every unknown, missing and invalid field at once.
    """
    if isinstance(form, type) and issubclass(form, Struct):
        return decode_text(form, given)
    rules_by_name, required = _read(form)
    known = rules_by_name | rules
    problems = {name: "is not a known field" for name in given if name not in known}
    problems |= {name: "is missing" for name in required if name not in given}
    values: dict[str, Any] = {}
    for name in (name for name in known if name in given):
        try:
            values[name] = known[name](given[name])
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidInputError(problems)
    return form(**{_attribute(name): value for name, value in values.items()})


@functools.cache
def _read(form: Any) -> tuple[dict[str, Rule[Any]], tuple[str, ...]]:
    """Return the rules of a form, and its required fields."""
    hints = get_type_hints(form, include_extras=True)
    rules = {name.removesuffix("_"): hint.__metadata__[0] for name, hint in hints.items()}
    required = (field.name for field in fields(form) if field.default is MISSING)
    return rules, tuple(name.removesuffix("_") for name in required)


def _attribute(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
