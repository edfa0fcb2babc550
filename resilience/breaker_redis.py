"""The fleet's shared circuit: the operations of `Circuit`, decided atomically in Redis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from resilience.breaker_model import BreakerAction, BreakerEvent, BreakerModelState, Change, Forced, Grant
from resilience.breaker_policy import BreakerPolicy
from resilience.scripts import Clock, Scripts, clock_argument, text

_OUTCOMES = {True: "1", False: "0", None: "-"}
_ACTIONS: dict[Forced | None, BreakerAction] = {"open": "force_open", "closed": "force_closed", None: "reset"}


class RedisBreakerState:
    """`Circuit` in Redis, one round trip per operation, on the server's clock unless `now_ms` is given.

    Shape: hash `{prefix}:breaker:{name}`, sorted set `{prefix}:breaker:{name}:probes` and list
    `{prefix}:breaker:{name}:audit`; none of them expires. Raises: redis-py's errors unchanged.
    """

    def __init__(
        self, client: redis.Redis, name: str, policy: BreakerPolicy, *, prefix: str, now_ms: Clock | None
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._policy = policy
        self._now_ms = now_ms
        self._key = f"{prefix}:breaker:{name}"
        self._keys = [self._key, f"{self._key}:probes"]
        self._audit = f"{self._key}:audit"

    def permit(self, n: int, token: str) -> Grant:
        """See `Circuit.permit`."""
        policy = self._policy
        limits = [policy.recovery_ms, policy.success_threshold, policy.probe_ms, policy.ramp_ms]
        granted, retry_after_ms, generation, before, after, forced = self._scripts.breaker_permit(
            self._keys, [self._now(), n, token, *limits]
        )
        return Grant(granted, retry_after_ms, generation, _change([before, after]), _forced(forced))

    def record(self, generation: int, token: str, outcomes: Sequence[bool | None]) -> Change:
        """See `Circuit.record`."""
        told = "".join(_OUTCOMES[outcome] for outcome in outcomes)
        return _change(
            self._scripts.breaker_record(
                self._keys, [self._now(), generation, token, told, *_thresholds(self._policy)]
            )
        )

    def note_error(self, error: str) -> None:
        """Store `error` as the last one, with the server's time."""
        self._scripts.breaker_note_error([self._key], [self._now(), error])

    def force(self, forced: Forced | None, by: str) -> Change:
        """See `Circuit.force`; `by` is recorded."""
        return _change(
            self._scripts.breaker_force([self._key, self._audit], [self._now(), _ACTIONS[forced], by])
        )

    def history(self) -> list[BreakerEvent]:
        """The last 100 operator actions, newest first."""
        kept: Any = self._client.lrange(self._audit, 0, -1)
        return [_event(json.loads(entry)) for entry in kept]

    def read(self) -> BreakerModelState:
        """See `Circuit.read`."""
        state, failures, successes, since_ms, forced, forced_by, retry_after_ms, error, error_ms = (
            self._scripts.breaker_read([self._key], [self._now(), self._policy.recovery_ms])
        )
        return BreakerModelState(
            _state(state),
            failures,
            successes,
            int(since_ms) if since_ms else None,
            _forced(forced),
            text(forced_by) or None,
            retry_after_ms,
            text(error) or None,
            int(error_ms) if error_ms else None,
        )

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)


def _thresholds(policy: BreakerPolicy) -> list[str | int]:
    ratio = "" if policy.failure_ratio is None else repr(float(policy.failure_ratio))
    counts = [policy.failure_threshold, policy.success_threshold]
    return [*counts, ratio, policy.window_ms, policy.minimum_calls]


def _event(entry: dict[str, Any]) -> BreakerEvent:
    at = datetime.fromtimestamp(entry["at_ms"] / 1000, UTC)
    return BreakerEvent(at, entry["by"], entry["action"], entry["before"])


def _state(reply: bytes | str) -> Any:
    return text(reply)


def _forced(reply: bytes | str) -> Any:
    return text(reply) or None


def _change(reply: Sequence[bytes | str]) -> Change:
    before, after = reply
    return Change(_state(before), _state(after))
