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
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Generic, TypeVar, get_type_hints

from domain.errors import InvalidInputError
from ingress.rules import Rule
from ingress.syntax import parameters

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Nothing:
    """The form without fields."""


def parse(form: Callable[..., T], given: Mapping[str, object], **rules: Rule[Any]) -> T:
    """`given` as a `form`; `rules` take the place of the form's own where they depend on the occasion.

    Raises: InvalidInputError naming every unknown, missing and bad field at once.
    """
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


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """Reads a query string; `form` names the parameters that matter in it, and `is_strict` refuses others."""

    form: Callable[..., object]
    read: Callable[[bytes], T]
    is_strict: bool


def query(form: Callable[..., T]) -> Query[T]:
    """Reads a query string as `form`; unknown and repeated parameters are refused by name."""
    return Query(form, lambda raw: parse(form, parameters(raw)), is_strict=True)


def unread(form: Callable[..., object] = Nothing) -> Query[bytes]:
    """Leaves a query string as it is; what is there beside `form` does not matter."""
    return Query(form, bytes, is_strict=False)


no_query = query(Nothing)


def schema_of(form: Callable[..., object]) -> dict[str, Any]:
    """The JSON Schema of what `parse` takes for `form`, its defaults included."""
    rules_by_name, required = _read(form)
    return {
        "type": "object",
        "properties": {name: {**rule.schema, **_default(form, name)} for name, rule in rules_by_name.items()},
        "required": list(required),
        "additionalProperties": False,
    }


def _default(form: Any, name: str) -> dict[str, object]:
    (found,) = (field.default for field in fields(form) if field.name == _attribute(name))
    return {} if found is MISSING or found is None else {"default": found}


@functools.cache
def _read(form: Any) -> tuple[dict[str, Rule[Any]], tuple[str, ...]]:
    """The rules of a form, and its fields that must be given."""
    hints = get_type_hints(form, include_extras=True)
    rules = {name.removesuffix("_"): hint.__metadata__[0] for name, hint in hints.items()}
    required = (field.name for field in fields(form) if field.default is MISSING)
    return rules, tuple(name.removesuffix("_") for name in required)


def _attribute(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
