"""The time until the messages of killed workers are processed again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import redis

from bench.chaos.broker import Message


class View(Protocol):
    """The broker's state that `Recoveries` needs."""

    def unacknowledged(self) -> dict[str, set[Message]]:
        """The unacknowledged messages of each worker."""

    def unfinished(self, messages: set[Message]) -> set[Message]:
        """Those of `messages` that have not ended."""


@dataclass(slots=True)
class _Kill:
    at_seconds: float
    messages: set[Message]
    waiting: set[Message]


@dataclass(slots=True)
class Recoveries:
    """For each worker killed with unacknowledged messages: the seconds until all were back, or had ended.

    Shape: `requeued` until the dead worker held none, and `seconds` until other workers had held all of them,
    in the order of recovery; `discarded` counts kills without a measurement, as Redis lost data. Thread-safe.
    """

    view: View
    clock: Callable[[], float] = time.monotonic
    seconds: list[float] = field(default_factory=list)
    requeued: list[float] = field(default_factory=list)
    discarded: int = 0
    _open: list[_Kill] = field(default_factory=list)
    _dead: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @property
    def waiting(self) -> int:
        """How many kills have not been recovered from yet."""
        return len(self._open)

    def has_work_at_risk(self) -> bool:
        """Whether a killed worker would now leave unacknowledged messages."""
        with self._lock:
            return bool(self._held_by(self._unacknowledged(), active=True))

    def record_kill(self) -> None:
        """Record the kill of the only worker; call it immediately after."""
        with self._lock:
            unacknowledged = self._unacknowledged()
            messages = self._held_by(unacknowledged, active=True)
            self._dead |= unacknowledged.keys()
            if messages:
                self._open.append(_Kill(self.clock(), messages, set(messages)))

    def update(self) -> None:
        """Measure the recoveries up to now; call it often."""
        with self._lock, suppress(redis.RedisError):
            if not self._open:
                return
            unacknowledged, now = self._unacknowledged(), self.clock()
            active = self._held_by(unacknowledged, active=True)
            dead = self._held_by(unacknowledged, active=False)
            for kill in list(self._open):
                self._update(kill, active, dead, now)

    def discard(self) -> None:
        """Discard every open measurement, since Redis has lost its data."""
        with self._lock:
            self.discarded += len(self._open)
            self._open.clear()

    def _update(self, kill: _Kill, active: set[Message], dead: set[Message], now: float) -> None:
        if kill.waiting and not kill.waiting & dead:
            self.requeued.append(now - kill.at_seconds)
            kill.waiting = set()
        kill.messages -= active
        kill.messages &= self.view.unfinished(kill.messages)
        if not kill.messages:
            self._open.remove(kill)
            self.seconds.append(now - kill.at_seconds)

    def _held_by(self, unacknowledged: dict[str, set[Message]], *, active: bool) -> set[Message]:
        held = [
            messages for worker, messages in unacknowledged.items() if (worker not in self._dead) is active
        ]
        return set().union(*held)

    def _unacknowledged(self) -> dict[str, set[Message]]:
        try:
            return self.view.unacknowledged()
        except redis.RedisError:
            return {}
