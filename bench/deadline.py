"""Waiting for a condition, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def poll(
    read: Callable[[], Found | None], *, seconds: float, pause_seconds: float = 0.02, what: str = ""
) -> Found:
    """The first answer of `read` that is not None. Raises: TimeoutError, naming `what`, after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if (found := read()) is not None:
            return found
        if time.monotonic() >= end:
            raise TimeoutError(f"{what or 'the condition'} did not come true within {seconds:g} s")
        time.sleep(pause_seconds)
