"""Readings that may fail: each part of a report fails alone, and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unread:
    """What came in place of a reading."""

    error: str


def tried(reading: Callable[[], T]) -> T | Unread:
    """What `reading` gives, or why it gives nothing."""
    try:
        return reading()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return Unread(f"{type(error).__name__}: {error}")
