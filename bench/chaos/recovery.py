"""How long the messages of killed workers are out of work."""

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
    """What `Recoveries` must know of the broker."""

    def in_hand(self) -> dict[str, set[Message]]:
        """The messages that each worker holds."""

    def unfinished(self, messages: set[Message]) -> set[Message]:
        """Those of `messages` that have not ended."""


@dataclass(slots=True)
class _Loss:
    at_seconds: float
    messages: set[Message]
    waiting: set[Message]


@dataclass(slots=True)
class Recoveries:
    """For each worker killed with messages in hand: the seconds until all were in work again, or had ended.

    Shape: `returned` until all had left the dead worker's hands, and `seconds` until all were in work, in
    the order of recovery; `voided` counts losses that Redis' own loss put an end to. Any thread may call.
    """

    view: View
    clock: Callable[[], float] = time.monotonic
    seconds: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    voided: int = 0
    _open: list[_Loss] = field(default_factory=list)
    _dead: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @property
    def waiting(self) -> int:
        """How many losses are not made good yet."""
        return len(self._open)

    def are_due(self) -> bool:
        """Whether the kill of a worker would now be a loss."""
        with self._lock:
            return bool(self._held_by(self._in_hand(), active=True))

    def lose(self) -> None:
        """Call it right after the kill of the only worker."""
        with self._lock:
            in_hand = self._in_hand()
            messages = self._held_by(in_hand, active=True)
            self._dead |= in_hand.keys()
            if messages:
                self._open.append(_Loss(self.clock(), messages, set(messages)))

    def look(self) -> None:
        """Note what has recovered by now; call it often."""
        with self._lock, suppress(redis.RedisError):
            if not self._open:
                return
            in_hand, now = self._in_hand(), self.clock()
            active = self._held_by(in_hand, active=True)
            dead = self._held_by(in_hand, active=False)
            for loss in list(self._open):
                self._update(loss, active, dead, now)

    def void(self) -> None:
        """Redis has lost what it held: forget every open loss."""
        with self._lock:
            self.voided += len(self._open)
            self._open.clear()

    def _update(self, loss: _Loss, active: set[Message], dead: set[Message], now: float) -> None:
        if loss.waiting and not loss.waiting & dead:
            self.returned.append(now - loss.at_seconds)
            loss.waiting = set()
        loss.messages -= active
        loss.messages &= self.view.unfinished(loss.messages)
        if not loss.messages:
            self._open.remove(loss)
            self.seconds.append(now - loss.at_seconds)

    def _held_by(self, in_hand: dict[str, set[Message]], *, active: bool) -> set[Message]:
        return {
            each for worker, them in in_hand.items() if (worker not in self._dead) is active for each in them
        }

    def _in_hand(self) -> dict[str, set[Message]]:
        try:
            return self.view.in_hand()
        except redis.RedisError:
            return {}
