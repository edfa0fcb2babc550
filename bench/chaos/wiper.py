"""Emptying Redis in the middle of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from threading import Lock

from bench.replay.server import ReplayServer
from bench.valkey import Valkey

PATIENCE_SECONDS = 5.0
_AFTER_ANSWERS = (0, 3, 20, 45)


@dataclass(slots=True)
class Wiper:
    """Empties Redis at a moment of the dice: at once, or after some more answers of the scraper."""

    valkey: Valkey
    server: ReplayServer
    dice: Random
    wipes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def wipe(self) -> None:
        """Wait for the moment, or for `PATIENCE_SECONDS`, and empty Redis. Any thread may call."""
        answers, end = self.server.answers, time.monotonic() + PATIENCE_SECONDS
        moment = answers.total() + self.dice.choice(_AFTER_ANSWERS)
        while answers.total() < moment and time.monotonic() < end:
            time.sleep(0.005)
        with self._lock:
            self.valkey.empty()
            self.wipes += 1
