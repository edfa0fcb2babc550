"""How often a secret may be guessed: so many times in a window by one client, and by all together."""

from __future__ import annotations

import redis

from resilience.scripts import Scripts, reaching


class Attempts:
    """Attempts at `name`, counted in Redis so that a restart forgives nothing.

    What is refused counts nowhere: one client that goes on cannot use up what is there for all. Shape:
    counters `{prefix}:attempts:{name}` and `{prefix}:attempts:{name}:{client}`, which expire with the
    window that their first attempt began. Raises: UnreachableError from both methods; let nobody in then.
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        *,
        each: int,
        overall: int,
        window_seconds: float,
        prefix: str = "rollcall",
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._limits = (each, overall)
        self._window_ms = round(window_seconds * 1000)
        self._key = f"{prefix}:attempts:{name}"

    def take(self, client: str) -> float:
        """Count an attempt by `client`; 0, or the seconds to wait when there are none left."""
        with reaching():
            wait_ms = self._scripts.attempts_take(
                [f"{self._key}:{client}", self._key], [self._window_ms, *self._limits]
            )
        return float(wait_ms) / 1000

    def forgive(self, client: str) -> None:
        """Forget the attempts of `client`, who has succeeded."""
        with reaching():
            self._client.delete(f"{self._key}:{client}")
