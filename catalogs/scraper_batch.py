"""One batch of section requests: when each is sent, and its outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from catalogs.concurrency import ConcurrencyLimiter
from catalogs.scraper_parser import DEFAULT_RETRY_AFTER_SECONDS, LONGEST_HOLD_SECONDS, Parser
from domain.errors import RateLimitedError, RollcallError
from domain.observation import CheckFailure, Outcome
from domain.ports import Clock, Reservation
from domain.section import SectionKey
from providers.http import HttpRequest, HttpResponse
from providers.http_pool import INTERRUPTIBLE_SECONDS, HttpPool

# First interval at which a thread with requests in flight checks for free slots; later ones are longer.
_STARVED_SECONDS = 0.005


class ScrapeBatch:
    """Sends section requests as pace and `concurrency` allow; calls `hold` once on a rate-limit response.

    It runs once, on the thread that owns `pool`.
    """

    def __init__(
        self,
        pool: HttpPool[SectionKey],
        concurrency: ConcurrencyLimiter,
        *,
        request: HttpRequest,
        parser: Parser,
        clock: Clock,
        hold: Callable[[float], None],
    ) -> None:
        self._pool = pool
        self._concurrency = concurrency
        self._request = request
        self._parser = parser
        self._clock = clock
        self._hold = hold
        self._waiting: list[SectionKey] = []
        self._started = 0
        self._granted = 0
        self._starved_seconds = _STARVED_SECONDS
        self._outcomes: list[Outcome] = []
        self._is_held = False
        self._starts_at = self._interval_seconds = 0.0

    def run(self, keys: Sequence[SectionKey], pace: Reservation | None) -> list[Outcome]:
        """One outcome per key, in order of arrival; request i waits for slot i of `pace`.

        Once the service asks for fewer requests, the rest of the batch fails in the same way without being
        sent. After an exception the pool may have requests in flight.

        Raises: RuntimeError if `concurrency` is closed.
        """
        self._waiting = list(reversed(keys))
        self._starts_at = time.monotonic()
        if pace is not None:
            self._starts_at += pace.start_in_seconds
            self._interval_seconds = pace.interval_seconds
        try:
            while self._waiting or len(self._pool):
                self._start_due()
                self._wait()
                self._read()
        finally:
            self._concurrency.release()
        return self._outcomes

    def _start_due(self) -> None:
        running = len(self._pool)
        granted = self._concurrency.claim(running + self._due())
        if granted > self._granted:
            self._starved_seconds = _STARVED_SECONDS
        self._granted = granted
        for _ in range(granted - running):
            key = self._waiting.pop()
            self._started += 1
            self._pool.start(
                key, self._request, json.dumps({"sectionNumber": key.number, "term": key.term}).encode()
            )

    def _wait(self) -> None:
        until_due_seconds = self._until_due_seconds() if self._waiting else INTERRUPTIBLE_SECONDS
        is_starved = until_due_seconds <= 0
        if len(self._pool):
            self._pool.wait(self._patience_seconds() if is_starved else _step(until_due_seconds))
        elif is_starved:
            self._concurrency.wait(INTERRUPTIBLE_SECONDS)
        else:
            time.sleep(_step(until_due_seconds))

    def _patience_seconds(self) -> float:
        patience_seconds = self._starved_seconds
        self._starved_seconds = _step(2 * patience_seconds)
        return patience_seconds

    def _read(self) -> None:
        for key, response in self._pool.read():
            outcome = self._outcome(key, response)
            self._outcomes.append(outcome)
            if isinstance(outcome, CheckFailure) and isinstance(outcome.error, RateLimitedError):
                self._slow_down(outcome.error)

    def _outcome(self, key: SectionKey, response: HttpResponse | RollcallError) -> Outcome:
        if isinstance(response, RollcallError):
            return CheckFailure(key, response)
        return self._parser.outcome(key, response, self._clock.now())

    def _slow_down(self, error: RateLimitedError) -> None:
        if self._is_held:
            return
        self._is_held = True
        self._outcomes.extend(CheckFailure(key, error) for key in reversed(self._waiting))
        self._waiting.clear()
        seconds = error.retry_after_seconds
        # A longer wait becomes a pause, which is visible and can be ended (`actors.check`).
        self._hold(DEFAULT_RETRY_AFTER_SECONDS if seconds is None else min(seconds, LONGEST_HOLD_SECONDS))

    def _due(self) -> int:
        """How many more requests may start now."""
        passed_seconds = time.monotonic() - self._starts_at
        if passed_seconds < 0:
            return 0
        if not self._interval_seconds:
            return len(self._waiting)
        due = int(passed_seconds / self._interval_seconds) + 1
        return min(len(self._waiting), max(0, due - self._started))

    def _until_due_seconds(self) -> float:
        return self._starts_at + self._started * self._interval_seconds - time.monotonic()


def _step(seconds: float) -> float:
    return min(seconds, INTERRUPTIBLE_SECONDS)
