"""Values that may be unreadable: each part of a snapshot fails on its own, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import UnreachableError
from domain.text import describe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Replaces a value that could not be read."""

    error: str


class UnavailableError(Exception):
    """A check needs a value that could not be read."""


def read_or_unavailable(read: Callable[[], T]) -> T | Unavailable:
    """Return the result of `read`, or why it could not be read."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever it is, the snapshot reports it
        return Unavailable(describe(error))


class Server:
    """A server that several values come from: after it is unreachable once, it is not tried again."""

    def __init__(self) -> None:
        self._away: Unavailable | None = None

    def read(self, read: Callable[[], T]) -> T | Unavailable:
        """As `read_or_unavailable`; after an UnreachableError it returns the same at once."""
        if self._away is not None:
            return self._away
        try:
            return read()
        except UnreachableError as error:
            self._away = Unavailable(describe(error))
            return self._away
        except Exception as error:  # noqa: BLE001 - as in `read_or_unavailable`
            return Unavailable(describe(error))


def required(value: T | Unavailable) -> T:
    """Return `value`. Raises: UnavailableError when it could not be read."""
    if isinstance(value, Unavailable):
        raise UnavailableError(value.error)
    return value
