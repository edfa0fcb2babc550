"""Rate limits for the whole fleet.

Source: the generic cell rate algorithm, ITU-T I.371, with whole batches of evenly spaced cells.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import redis

from domain.errors import RateLimitedError
from resilience.scripts import UNREACHABLE, Clock, Scripts, clock_argument, translate_errors

_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """Request i may start at `start_in_seconds + i * interval_seconds` from now."""

    start_in_seconds: float
    interval_seconds: float


class RateLimiter:
    """At most `per_minute + burst` slots in any 60 s across all processes; 0 per minute means no limit.

    `burst` is how many slots overlapping batches may be early; the slots of one batch are always evenly
    spaced. Without a limit Redis is not used, and `hold` affects this process only. While Redis is
    unreachable each process limits itself to the same rate. Shape: hash `{prefix}:throttle:{name}`.
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        per_minute: int,
        *,
        burst: int = 0,
        now_ms: Clock | None = None,
        prefix: str = "rollcall",
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._keys = [f"{prefix}:throttle:{name}"]
        self._now_ms = now_ms
        self._interval_us = math.ceil(_MINUTE_US / per_minute) if per_minute else 0
        self._burst_us = burst * self._interval_us
        self._local = LocalRateLimiter(self._interval_us, self._burst_us)

    def reserve(self, n: int, *, patience_seconds: float) -> Reservation:
        """Reserve `n` slots in one round trip; unused slots are spent as well.

        If the first is more than `patience_seconds` away, none is reserved and the pace only gives the wait.
        """
        start_us = self._reserve_us(n, round(patience_seconds * 1e6))
        return Reservation(start_us / 1e6, self._interval_us / 1e6)

    def hold(self, seconds: float) -> None:
        """Grant no slot for `seconds` from now, as a 429 asks; a hold only ever gets longer."""
        for_us = round(seconds * 1e6)
        self._local.hold(for_us, self._now_us())
        if self._interval_us:
            try:
                self._scripts.rate_limit_hold(self._keys, [self._now(), -(-for_us // 1000)])
            except UNREACHABLE:
                return

    def forget(self) -> None:
        """Delete reservations and holds after the rate changed. Raises: UnreachableError."""
        with translate_errors():
            self._client.delete(*self._keys)

    def _reserve_us(self, n: int, patience_us: int) -> int:
        if self._interval_us:
            try:
                return int(
                    self._scripts.rate_limit_reserve(
                        self._keys, [self._now(), n, self._interval_us, self._burst_us, patience_us]
                    )
                )
            except UNREACHABLE:
                pass
        return self._local.reserve(n, self._now_us(), patience_us)

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)

    def _now_us(self) -> int:
        return self._now_ms() * 1000 if self._now_ms else time.monotonic_ns() // 1000


class LocalRateLimiter:
    """The rate limit of one process, as `lua/rate_limit_*.lua` for the fleet. All times in microseconds."""

    def __init__(self, interval_us: int, burst_us: int) -> None:
        self._interval_us = interval_us
        self._burst_us = burst_us
        self._next_us = 0
        self._hold_us = 0
        self._lock = Lock()

    def reserve(self, n: int, now_us: int, patience_us: int) -> int:
        """Reserve `n` slots unless the first is over `patience_us` away; return microseconds until it."""
        with self._lock:
            start_us = max(now_us, self._hold_us, self._next_us - self._burst_us)
            if start_us - now_us <= patience_us:
                self._next_us = max(now_us, self._hold_us, self._next_us) + n * self._interval_us
            return start_us - now_us

    def hold(self, for_us: int, now_us: int) -> None:
        """No slot before `for_us` from now."""
        with self._lock:
            self._hold_us = max(self._hold_us, now_us + for_us)


class BlockingRateLimiter:
    """Blocks each request until its slot of `limiter`, at most for `patience_seconds`."""

    def __init__(
        self,
        limiter: RateLimiter,
        *,
        patience_seconds: float = 10.0,
        wait_seconds: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limiter = limiter
        self._patience_seconds = patience_seconds
        self._wait_seconds = wait_seconds

    def wait(self) -> None:
        """Wait for a slot. Raises: RateLimitedError, with the time left, if none is due soon enough."""
        seconds = self._limiter.reserve(1, patience_seconds=self._patience_seconds).start_in_seconds
        if seconds > self._patience_seconds:
            raise RateLimitedError("the fleet's rate is spent", retry_after_seconds=seconds)
        if seconds > 0:
            self._wait_seconds(seconds)

    def hold(self, seconds: float) -> None:
        """Grant no slot for `seconds` from now, at most the patience of one request.

        A longer wait is a pause, which is visible, bounded, and can be ended by an operator.
        """
        self._limiter.hold(min(seconds, self._patience_seconds))
