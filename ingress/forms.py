"""Forms: frozen dataclasses whose annotations say how each field is read.

    class WatchForm:
        email: Annotated[str, address]
        min_seats: Annotated[int | None, integer(1, MAX_SEATS)] = None

A rule (`ingress.fields`) takes what was given and returns the field's value, or raises ValueError with what
is wrong. A field without a default must be given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

from domain.errors import InvalidInputError
from ingress.syntax import parameters

Rule = Callable[[Any], Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Nothing:
    """The form without fields."""


def parse(form: Callable[..., T], given: Mapping[str, object], **rules: Rule) -> T:
    """`given` as a `form`; `rules` take the place of the form's own where they depend on the occasion.

    Raises: InvalidInputError naming every unknown, missing and bad field at once.
    """
    rules_by_name, required = _read(form)
    known = rules_by_name | rules
    problems = {name: "is not a known field" for name in given if name not in known}
    problems |= {name: "is missing" for name in required if name not in given}
    values: dict[str, Any] = {}
    for name in known.keys() & given.keys():
        try:
            values[name] = known[name](given[name])
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidInputError(problems)
    return form(**values)


def query(form: Callable[..., T]) -> Callable[[bytes], T]:
    """Reads a query string as `form`; unknown and repeated parameters are refused by name."""
    return lambda raw: parse(form, parameters(raw))


no_query = query(Nothing)


@functools.cache
def _read(form: Any) -> tuple[dict[str, Rule], tuple[str, ...]]:
    """The rules of a form, and its fields that must be given."""
    hints = get_type_hints(form, include_extras=True)
    rules = {name: hint.__metadata__[0] for name, hint in hints.items()}
    return rules, tuple(field.name for field in fields(form) if field.default is MISSING)
