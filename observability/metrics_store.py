"""The metrics of all processes, summed in Redis, so that they survive restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import redis

from resilience.scripts import Scripts, text, translate_errors

_ENTRY_TTL_MS = 86_400_000  # far longer than an entry is retried


class MetricsStore:
    """The fleet's counts; each process adds its increments through one object.

    Shape: hash `{prefix}:ledger`, which never expires, and string `{prefix}:ledger:{process}`, which expires
    a day after its last entry. Raises: UnreachableError from both methods.
    """

    def __init__(self, client: redis.Redis, prefix: str = "rollcall") -> None:
        self._client: Any = client
        self._scripts = Scripts(client)
        self._key = f"{prefix}:ledger"
        self._keys = [self._key, f"{self._key}:{uuid4().hex}"]

    def add(self, number: int, increments: Mapping[str, int]) -> None:
        """Add the entry `number` of this process, in one round trip.

        Retry a failed entry with the same number and increments before the next one: then it counts once,
        also where only the answer was lost. Calls must be sequential.
        """
        flat = [part for increment in increments.items() for part in increment]
        with translate_errors():
            self._scripts.metrics_add(self._keys, [number, _ENTRY_TTL_MS, *flat])

    def read(self) -> dict[str, int]:
        """Return every count by its name; empty before the first entry."""
        with translate_errors():
            found = self._client.hgetall(self._key)
        return {text(name): int(value) for name, value in found.items()}
