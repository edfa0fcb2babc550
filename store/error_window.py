"""The recent database errors of this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from domain.text import one_line

WINDOW_SECONDS = 300.0
_MOST = 1000
_TEXT_LIMIT = 200


class ErrorWindow:
    """Counts errors of the last five minutes; safe to use from several threads.

    One successful probe says little about a database that fails one request in six; the errors that processes
    see are what counts.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._errors: deque[tuple[float, str]] = deque(maxlen=_MOST)
        self._lock = Lock()

    def add(self, error: BaseException) -> None:
        """Count `error`."""
        text = one_line(f"{type(error).__name__}: {error}", _TEXT_LIMIT)
        with self._lock:
            self._errors.append((self._monotonic(), text))

    def read(self) -> tuple[int, str]:
        """How many errors the window holds, and the text of the last; empty when there is none."""
        since = self._monotonic() - WINDOW_SECONDS
        with self._lock:
            while self._errors and self._errors[0][0] < since:
                self._errors.popleft()
            return len(self._errors), self._errors[-1][1] if self._errors else ""
