"""The circuit that the whole fleet shares: `Circuit`'s operations, decided atomically in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from resilience.circuit import BreakerPolicy, Change, Forced, Grant, Reading
from resilience.scripts import Clock, Scripts, clock_argument, text

_OUTCOMES = {True: "1", False: "0", None: "-"}


class FleetCircuit:
    """`Circuit` in Redis, one round trip an operation, on the server's clock unless `now_ms` is given.

    Shape: hash `{prefix}:breaker:{name}` and sorted set `{prefix}:breaker:{name}:probes`.
    Raises: redis-py's errors as they are.
    """

    def __init__(
        self, client: redis.Redis, name: str, policy: BreakerPolicy, *, prefix: str, now_ms: Clock | None
    ) -> None:
        self._scripts = Scripts(client)
        self._policy = policy
        self._now_ms = now_ms
        self._key = f"{prefix}:breaker:{name}"
        self._keys = [self._key, f"{self._key}:probes"]

    def permit(self, n: int, token: str) -> Grant:
        """See `Circuit.permit`."""
        policy = self._policy
        granted, retry_after_ms, generation, before, after, forced = self._scripts.breaker_permit(
            self._keys,
            [self._now(), n, token, policy.recovery_ms, policy.success_threshold, policy.probe_ms],
        )
        return Grant(granted, retry_after_ms, generation, _change([before, after]), _forced(forced))

    def record(self, generation: int, token: str, outcomes: Sequence[bool | None]) -> Change:
        """See `Circuit.record`."""
        told = "".join(_OUTCOMES[outcome] for outcome in outcomes)
        thresholds: list[str | int] = [self._policy.failure_threshold, self._policy.success_threshold]
        return _change(
            self._scripts.breaker_record(self._keys, [self._now(), generation, token, told, *thresholds])
        )

    def force(self, forced: Forced | None, by: str) -> Change:
        """See `Circuit.force`."""
        return _change(self._scripts.breaker_force([self._key], [self._now(), forced or "", by]))

    def read(self) -> Reading:
        """See `Circuit.read`."""
        state, failures, successes, since_ms, forced, forced_by, retry_after_ms = self._scripts.breaker_read(
            [self._key], [self._now(), self._policy.recovery_ms]
        )
        return Reading(
            _state(state),
            failures,
            successes,
            int(since_ms) if since_ms else None,
            _forced(forced),
            text(forced_by) or None,
            retry_after_ms,
        )

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)


def _state(reply: bytes | str) -> Any:
    return text(reply)


def _forced(reply: bytes | str) -> Any:
    return text(reply) or None


def _change(reply: Sequence[bytes | str]) -> Change:
    before, after = reply
    return Change(_state(before), _state(after))
