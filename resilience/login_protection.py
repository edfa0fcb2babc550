"""Login protection: rate limits on guesses, per client and overall, and one-time tokens stored in Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import redis

from domain.errors import UnreachableError
from resilience.scripts import Scripts, translate_errors

_RETRY_SECONDS = 5.0  # Redis is not tried again for so long: each attempt may end in a timeout
_log = logging.getLogger(__name__)


class LoginLimiter:
    """Limits attempts at `name`, counted in Redis so that a restart resets nothing.

    A refused attempt does not count, so one client cannot use up the overall limit. While Redis is
    unreachable this process counts by the same limits, so an operator can still sign in. Shape: counters
    `{prefix}:attempts:{name}` and `{prefix}:attempts:{name}:{client}`, which expire with the window that
    their first attempt began.
    """

    def __init__(  # noqa: PLR0913 - limits, by keyword
        self,
        client: redis.Redis,
        name: str,
        *,
        each: int,
        overall: int,
        window_seconds: float,
        prefix: str = "rollcall",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._limits = (each, overall)
        self._window_ms = round(window_seconds * 1000)
        self._key = f"{prefix}:attempts:{name}"
        self._local = _Local(each, overall, window_seconds)
        self._monotonic = monotonic
        self._retry_at = 0.0

    def take(self, client: str) -> float:
        """Count an attempt by `client`; return 0, or the seconds to wait if none is left."""
        if not self._is_unreachable():
            try:
                with translate_errors():
                    wait_ms = self._scripts.login_attempt_take(
                        [f"{self._key}:{client}", self._key], [self._window_ms, *self._limits]
                    )
                return float(wait_ms) / 1000
            except UnreachableError as error:
                self._note_unreachable(error)
        return self._local.take(client, self._monotonic())

    def reset(self, client: str) -> None:
        """Reset the attempts of `client` after a success."""
        self._local.reset(client)
        if self._is_unreachable():
            return
        try:
            with translate_errors():
                self._client.delete(f"{self._key}:{client}")
        except UnreachableError as error:
            self._note_unreachable(error)  # the window expires by itself

    def _is_unreachable(self) -> bool:
        return self._monotonic() < self._retry_at

    def _note_unreachable(self, error: UnreachableError) -> None:
        self._retry_at = self._monotonic() + _RETRY_SECONDS
        _log.warning("attempts are counted in this process only", extra={"error": str(error)})


@dataclass(slots=True)
class _Window:
    """Attempts in a window that begins with the first one."""

    ends_at: float
    count: int = 0


@dataclass(slots=True)
class _Local:
    """The same limits in memory, for at most `overall` clients."""

    each: int
    overall: int
    seconds: float
    _all: _Window = field(default_factory=lambda: _Window(0.0))
    _clients: dict[str, _Window] = field(default_factory=dict)

    def take(self, client: str, now: float) -> float:
        """As `LoginLimiter.take`, at the monotonic time `now`."""
        if self._all.ends_at <= now:
            self._all = _Window(now + self.seconds)
        self._clients = {name: window for name, window in self._clients.items() if window.ends_at > now}
        mine = self._clients.get(client) or _Window(now + self.seconds)
        waits = [
            window.ends_at - now
            for window, most in ((mine, self.each), (self._all, self.overall))
            if window.count >= most
        ]
        if waits:
            return max(waits)
        mine.count += 1
        self._all.count += 1
        self._clients[client] = mine
        return 0.0

    def reset(self, client: str) -> None:
        """As `LoginLimiter.reset`."""
        self._clients.pop(client, None)


class OneTimeTokens:
    """One-time tokens for `name`. A token that Redis has lost is invalid.

    Shape: keys `{prefix}:tickets:{name}:{token}`. Raises: UnreachableError from both methods; callers must
    refuse access then.
    """

    def __init__(self, client: redis.Redis, name: str, *, prefix: str = "rollcall") -> None:
        self._client = client
        self._key = f"{prefix}:tickets:{name}"

    def issue(self, token: str, lifetime: timedelta) -> None:
        """Store `token`, valid for `lifetime`."""
        with translate_errors():
            self._client.set(f"{self._key}:{token}", "", px=lifetime)

    def redeem(self, token: str) -> bool:
        """Consume `token`; True for exactly one caller."""
        with translate_errors():
            return bool(self._client.delete(f"{self._key}:{token}"))
