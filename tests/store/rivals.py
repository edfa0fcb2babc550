"""Threads that set out at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 30


def together(*actions: Callable[[], T]) -> list[T]:
    """Carry `actions` out at once, a thread each; what they return, in their order, or the first error."""
    start = Barrier(len(actions))

    def carry_out(action: Callable[[], T]) -> T:
        start.wait(DEADLINE_SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        futures = [threads.submit(carry_out, action) for action in actions]
        return [future.result(DEADLINE_SECONDS) for future in futures]
