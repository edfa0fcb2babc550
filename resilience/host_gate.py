"""Admits the requests of the whole fleet to one host of public catalogs: one at a time, spaced, counted."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import redis

from domain.catalog import NoTurnError
from domain.errors import UnreachableError
from domain.ports import HostGatePort, HostUsage, Turn
from resilience.scripts import Clock, Scripts, clock_argument, text, translate_errors

JITTER = 0.25
"""A gap between requests is up to this share longer, so that the fleet has no rhythm."""
_MINUTE_MS = 60_000
_REASONS = {
    "progress": "another request is in progress",
    "hold": "the catalog asked for a wait",
    "day": "today's requests are spent",
    "pace": "its requests are spaced",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What a profile permits: requests a minute and a UTC day, and the seconds after which one is lost."""

    requests_per_minute: int
    daily_requests: int
    flight_seconds: float = 45.0

    @property
    def gap_ms(self) -> int:
        """The least time between the starts of two requests."""
        return math.ceil(_MINUTE_MS / self.requests_per_minute)


class HostGate:
    """The gate of `host` for one client. Several profiles of a host share its state, each with its limits.

    Without Redis there is no turn: the processes do not know of each other's requests. A request whose
    process has died counts as lost after `flight_seconds`. Shape: hash `{prefix}:host:{host}`.
    """

    def __init__(
        self,
        client: redis.Redis,
        host: str,
        limits: HostLimits,
        *,
        now_ms: Clock | None = None,
        prefix: str = "rollcall",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.host = host
        self._limits = limits
        self._scripts = Scripts(client)
        self._keys = [f"{prefix}:host:{host}"]
        self._token = uuid4().hex
        self._now_ms = now_ms
        self._jitter = jitter
        self._unstored_until = 0.0

    def enter(self) -> Turn:
        """As `HostGatePort`. Raises: NoTurnError while Redis is unreachable."""
        self._store_hold()
        limits = self._limits
        gap_ms = limits.gap_ms
        next_ms = math.ceil(gap_ms * (1 + JITTER * self._jitter()))
        flight_ms = round(limits.flight_seconds * 1000)
        arguments = [self._now(), self._token, gap_ms, next_ms, flight_ms, limits.daily_requests]
        try:
            with translate_errors():
                wait_ms, *reason = self._scripts.host_gate_enter(self._keys, arguments)
        except UnreachableError as error:
            raise NoTurnError(f"{self.host}: no request without the limits in Redis: {error}") from error
        return Turn(wait_ms / 1000, f"{self.host}: {_REASONS[text(reason[0])]}" if reason else "")

    def leave(self) -> None:
        """As `HostGatePort`. Without Redis the request counts as lost after its time."""
        try:
            with translate_errors():
                self._scripts.host_gate_leave(self._keys, [self._now(), self._token])
        except UnreachableError as error:
            _log.warning("a finished request is not noted", extra={"host": self.host, "error": str(error)})

    def hold(self, seconds: float) -> None:
        """As `HostGatePort`. Without Redis it is stored before the next turn."""
        self._unstored_until = time.monotonic() + seconds
        self._store_hold()

    def read(self) -> HostUsage:
        """What the fleet has used of the limits. Raises: UnreachableError."""
        with translate_errors():
            used, held_ms = self._scripts.host_gate_read(self._keys, [self._now()])
        return HostUsage(int(used), held_ms / 1000)

    def _store_hold(self) -> None:
        left_seconds = self._unstored_until - time.monotonic()
        if left_seconds <= 0:
            return
        try:
            with translate_errors():
                self._scripts.host_gate_hold(self._keys, [self._now(), math.ceil(left_seconds * 1000)])
        except UnreachableError as error:
            _log.warning("a hold is not stored yet", extra={"host": self.host, "error": str(error)})
        else:
            self._unstored_until = 0.0

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)


class LocalHostGate:
    """The gate of one process, for a command without Redis: no role of its installation polls then.

    It spaces requests and honours holds; the day's limit needs Redis.
    """

    def __init__(
        self, host: str, limits: HostLimits, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._gap_seconds = limits.gap_ms / 1000
        self._monotonic = monotonic
        self._due = 0.0

    def enter(self) -> Turn:
        """As `HostGatePort`."""
        now = self._monotonic()
        if self._due > now:
            return Turn(self._due - now, f"{self._host}: {_REASONS['pace']}")
        self._due = now + self._gap_seconds
        return Turn(0.0)

    def leave(self) -> None:
        """As `HostGatePort`."""

    def hold(self, seconds: float) -> None:
        """As `HostGatePort`."""
        self._due = max(self._due, self._monotonic() + seconds)


class CommandHostGate:
    """The gate of a command: that of the fleet, or a local one from the moment that Redis is unreachable."""

    def __init__(self, gate: HostGate, local: LocalHostGate) -> None:
        self._gates: list[HostGatePort] = [gate, local]

    def enter(self) -> Turn:
        """As `HostGatePort`."""
        if len(self._gates) > 1:
            try:
                return self._gates[0].enter()
            except NoTurnError:
                del self._gates[0]
        return self._gates[0].enter()

    def leave(self) -> None:
        """As `HostGatePort`."""
        self._gates[0].leave()

    def hold(self, seconds: float) -> None:
        """As `HostGatePort`."""
        for gate in self._gates:
            gate.hold(seconds)
