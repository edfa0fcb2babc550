"""A reading shared by concurrent callers and taken by one thread at a time.

However many callers wait, and however long the other side is silent, a reading occupies one thread: a silent
Redis cannot block the threads that serve students.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Generic, TypeVar

from domain.errors import UnreachableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """The result of a reading, and when it began."""

    began_at: float
    value: T | None
    error: Exception | None

    def get(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value] # None only where `read` returns it


class SharedReading(Generic[T]):
    """The result of `read`, shared by all callers within `fresh_seconds`.

    Units: a reading that takes longer than `limit_seconds` counts as unanswered until it ends. `clock` is
    monotonic, in seconds.
    """

    def __init__(
        self,
        read: Callable[[], T],
        *,
        limit_seconds: float,
        fresh_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._limit_seconds = limit_seconds
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._changed = Condition()
        self._last: _Outcome[T] | None = None
        self._began_at: float | None = None  # of the reading in progress

    def latest(self) -> T:
        """Return the last reading while it is fresh, also while the next is in progress; else a new one.

        Raises: UnreachableError without an answer within the limit; what `read` raised.
        """
        with self._changed:
            now = self._clock()
            if not self._is_younger_than(self._fresh_seconds, now):
                self._begin()
                if self._is_overdue(now) or not self._is_younger_than(
                    self._fresh_seconds + self._limit_seconds, now
                ):
                    return self._await(now - self._limit_seconds, now)
            return self._outcome()

    def new(self) -> T:
        """Return a reading that begins now. Raises: as `latest`."""
        with self._changed:
            now = self._clock()
            return self._await(now, now)

    def _await(self, since: float, now: float) -> T:
        """Return a reading that began at `since` or later, within the limit from `now`."""
        deadline = now + self._limit_seconds
        while self._last is None or self._last.began_at < since:
            self._begin()
            waiting_seconds = 0.0 if self._is_overdue(now) else deadline - self._clock()
            if waiting_seconds <= 0 or not self._changed.wait(waiting_seconds):
                raise UnreachableError(f"no answer within {self._limit_seconds:g} s")
        return self._outcome()

    def _outcome(self) -> T:
        if self._last is None:
            raise AssertionError("nothing was read")
        return self._last.get()

    def _is_younger_than(self, seconds: float, now: float) -> bool:
        return self._last is not None and now - self._last.began_at <= seconds

    def _is_overdue(self, now: float) -> bool:
        return self._began_at is not None and now - self._began_at > self._limit_seconds

    def _begin(self) -> None:
        if self._began_at is None:
            self._began_at = self._clock()
            Thread(target=self._take, args=(self._began_at,), daemon=True).start()

    def _take(self, began_at: float) -> None:
        value, error = None, None
        try:
            value = self._read()
        except Exception as failure:  # noqa: BLE001 - raised in every caller
            error = failure
        with self._changed:
            self._last, self._began_at = _Outcome(began_at, value, error), None
            self._changed.notify_all()
