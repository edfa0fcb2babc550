"""Claims on work in flight: no two messages check the same section at once."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from resilience.scripts import Scripts, chunks, translate_errors

CHUNK = 500
"""Claims per script call: many enough to be cheap, few enough not to block Redis."""


class Claims:
    """Claims that expire after `ttl_seconds` if their owner dies.

    Shape: string `{prefix}:claim:{key}` holding the owner. Raises: UnreachableError from every method.
    """

    def __init__(self, client: redis.Redis, ttl_seconds: float, prefix: str = "rollcall") -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._ttl_ms = round(ttl_seconds * 1000)
        self._prefix = f"{prefix}:claim:"

    def take(self, keys: Sequence[str], owner: str) -> list[str]:
        """Claim `keys` for `owner`; return those it now holds, in order. A repetition restarts the TTL."""
        taken: list[str] = []
        for chunk in chunks(keys, CHUNK):
            with translate_errors():
                positions = self._scripts.claims_take(self._names(chunk), [owner, self._ttl_ms])
            taken += [chunk[position - 1] for position in positions]
        return taken

    def release(self, keys: Sequence[str], owner: str) -> None:
        """Release those of `keys` that `owner` still holds."""
        for chunk in chunks(keys, CHUNK):
            with translate_errors():
                self._scripts.claims_release(self._names(chunk), [owner])

    def clear(self) -> int:
        """Delete all claims, for when no worker is running; return their number."""
        with translate_errors():
            names = list(self._client.scan_iter(f"{self._prefix}*", CHUNK))
            return sum(self._client.delete(*chunk) for chunk in chunks(names, CHUNK))

    def _names(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]
