"""A rule: how a field is read, together with the JSON Schema of what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Schema = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """Takes what was given and returns the field's value, or raises ValueError with what is wrong."""

    read: Callable[[object], T]
    schema: Schema

    def __call__(self, value: object) -> T:
        """The value of the field."""
        return self.read(value)


def rule(**schema: object) -> Callable[[Callable[[object], T]], Rule[T]]:
    """Declare a function as the rule for what `schema` describes; its docstring is the description."""
    return lambda read: Rule(read, {"description": read.__doc__, **schema} if read.__doc__ else schema)
