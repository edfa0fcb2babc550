"""Periodic work on the monotonic clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

_log = logging.getLogger(__name__)


class Ticker:
    """Runs `work` each `period` in its own thread; a long tick delays the next.

    The reaper and the reconciler continue while the host's clock, on which APScheduler's waits depend, is
    changed. A failure is logged, and the next tick runs.
    """

    def __init__(self, period: timedelta, work: Callable[[], Any], name: str) -> None:
        self._period = period
        self._work = work
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        """Return whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; the first tick comes after one period."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the tick in progress."""
        self._stopped.set()
        if self.is_alive:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period.total_seconds()):
            try:
                self._work()
            except Exception:  # noqa: BLE001 - logged; the next tick tries again
                _log.exception("a tick failed", extra={"ticker": self._thread.name})
