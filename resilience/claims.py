"""Claims on work in flight: no two messages check the same section at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import redis

from resilience.scripts import Scripts, translate_errors

Key = TypeVar("Key", str, bytes)
CHUNK = 500
"""Claims in one script call: long enough to be cheap, short enough not to hold Redis up."""


class Claims:
    """Claims that end by themselves after `ttl_seconds`, should their owner die.

    Shape: string `{prefix}:claim:{key}` holding the owner. Raises: UnreachableError from every method.
    """

    def __init__(self, client: redis.Redis, ttl_seconds: float, prefix: str = "rollcall") -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._ttl_ms = round(ttl_seconds * 1000)
        self._prefix = f"{prefix}:claim:"

    def take(self, keys: Sequence[str], owner: str) -> list[str]:
        """Those of `keys` that are `owner`'s now, in their order; taking again starts their time anew."""
        taken: list[str] = []
        for chunk in _chunks(keys):
            with translate_errors():
                places = self._scripts.claims_take(self._names(chunk), [owner, self._ttl_ms])
            taken += [chunk[place - 1] for place in places]
        return taken

    def release(self, keys: Sequence[str], owner: str) -> None:
        """Give back those of `keys` that are still `owner`'s."""
        for chunk in _chunks(keys):
            with translate_errors():
                self._scripts.claims_release(self._names(chunk), [owner])

    def clear(self) -> int:
        """End every claim, whoever holds it: for when nobody can be at work; how many there were."""
        with translate_errors():
            names = list(self._client.scan_iter(f"{self._prefix}*", CHUNK))
            return sum(self._client.delete(*chunk) for chunk in _chunks(names))

    def _names(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]


def _chunks(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
