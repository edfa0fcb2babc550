"""Calls in work at the same time: each is a greenlet that stops wherever it would touch the outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.simulation.hosts import Process


class KilledError(BaseException):
    """The process ended here: what the code would still do on its way out touches nothing."""


class InterruptedTaskError(BaseException):
    """Somebody asked the call to stop: what it does on its way out counts."""


class Task(greenlet):  # type: ignore[misc]
    """One call in one process. `fence` and `permit` are what the outside last granted it."""

    def __init__(self, name: str, process: Process, work: Callable[[], object]) -> None:
        super().__init__(self._run)
        self.name = name
        self.process = process
        self.is_dead = False
        self.is_done = False
        self.error: BaseException | None = None
        self.fence: int | None = None
        self.permit: tuple[str, object, int] | None = None
        self._work = work

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - a call may end in any way; the world judges it
            self.error = error
        self.is_done = True


def current() -> Task | None:
    """The task that is running, or None for the world itself, which nothing disturbs."""
    found = getcurrent()
    return found if isinstance(found, Task) else None
