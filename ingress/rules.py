"""A rule: a parser of one field, with the JSON Schema of its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Schema = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """Parses the input and returns the field's value, or raises ValueError with the reason."""

    read: Callable[[object], T]
    schema: Schema

    def __call__(self, value: object) -> T:
        """Return the value of the field."""
        return self.read(value)


def rule(**schema: object) -> Callable[[Callable[[object], T]], Rule[T]]:
    """Declare a function as the rule for the inputs of `schema`; its docstring is the description."""
    return lambda read: Rule(read, {"description": read.__doc__, **schema} if read.__doc__ else schema)
