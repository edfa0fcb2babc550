"""What lets somebody in once: noted in Redis when it is given, and gone when it is taken or too old."""

from __future__ import annotations

from datetime import timedelta

import redis

from resilience.scripts import translate_errors


class OneTimeTokens:
    """Tickets for `name`. A server that has forgotten one lets nobody in with it.

    Shape: keys `{prefix}:tickets:{name}:{ticket}`. Raises: UnreachableError from both methods; let nobody
    in then.
    """

    def __init__(self, client: redis.Redis, name: str, *, prefix: str = "rollcall") -> None:
        self._client = client
        self._key = f"{prefix}:tickets:{name}"

    def give(self, ticket: str, lifetime: timedelta) -> None:
        """Note that `ticket` may be taken, for as long as `lifetime`."""
        with translate_errors():
            self._client.set(f"{self._key}:{ticket}", "", px=lifetime)

    def take(self, ticket: str) -> bool:
        """Whether it could be taken; of all who try, one can."""
        with translate_errors():
            return bool(self._client.delete(f"{self._key}:{ticket}"))
