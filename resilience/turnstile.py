"""Turns at a provider that takes one request at a time: wait for a short while, refuse a long one."""

from __future__ import annotations

import time
from collections.abc import Callable

from domain.errors import RateLimitedError
from resilience.throttle import RateLimiter


class BlockingRateLimiter:
    """Lets requests through at the rate of `throttle`; a thread waits `patience_seconds` at most."""

    def __init__(
        self,
        throttle: RateLimiter,
        *,
        patience_seconds: float = 10.0,
        wait_seconds: Callable[[float], None] = time.sleep,
    ) -> None:
        self._throttle = throttle
        self._patience_seconds = patience_seconds
        self._wait_seconds = wait_seconds

    def wait(self) -> None:
        """Wait for a turn. Raises: RateLimitedError, with the time left, when none comes soon enough."""
        seconds = self._throttle.reserve(1, patience_seconds=self._patience_seconds).start_in_seconds
        if seconds > self._patience_seconds:
            raise RateLimitedError("the fleet's rate is spent", retry_after_seconds=seconds)
        if seconds > 0:
            self._wait_seconds(seconds)

    def hold(self, seconds: float) -> None:
        """Give nobody a turn before `seconds` from now, at most the patience of one request.

        A longer wait is a pause: it is visible, bounded, and an operator can end it.
        """
        self._throttle.hold(min(seconds, self._patience_seconds))
