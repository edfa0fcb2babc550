"""Where a breaker's state is kept: in this process, or in Redis for the whole fleet.

Each operation of a storage decides and stores atomically, by the rules of `BreakerModel`; none holds a lock
while a call runs.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any, cast

import redis

from resilience.breaker_model import (
    FORCED,
    BreakerAction,
    BreakerEvent,
    BreakerModel,
    BreakerSnapshot,
    Change,
    Forced,
    Permit,
    Scope,
    State,
)
from resilience.breaker_policy import BreakerPolicy
from resilience.scripts import (
    UNREACHABLE,
    Clock,
    Scripts,
    clock_argument,
    host_ms,
    moment,
    text,
    translate_errors,
)

_HISTORY_LENGTH = 100
_OUTCOMES = {True: "1", False: "0", None: "-"}


class MemoryStorage:
    """The state in this process; it begins in `state`, in pybreaker's spelling. Breakers may share it."""

    name = "memory"
    scope: Scope = "process"

    def __init__(
        self, state: str = "closed", *, last_error: tuple[str, int] | None = None, now_ms: Clock = host_ms
    ) -> None:
        self._model = BreakerModel(state=cast("State", state.replace("-", "_")), last_error=last_error)
        self._history: deque[BreakerEvent] = deque(maxlen=_HISTORY_LENGTH)
        self._now_ms = now_ms
        self._lock = Lock()

    def permit(self, policy: BreakerPolicy, n: int, token: str) -> Permit:
        """See `BreakerModel.permit`."""
        with self._under(policy) as model:
            return replace(model.permit(n, token, self._now_ms()), scope="process")

    def record(
        self,
        policy: BreakerPolicy,
        permit: Permit,
        outcomes: Sequence[bool | None],
        error: str | None = None,
    ) -> Change | None:
        """See `BreakerModel.record`; `error` is stored as the last one."""
        with self._under(policy) as model:
            if error is not None:
                model.last_error = error, self._now_ms()
            return model.record(permit.generation, permit.token, outcomes, self._now_ms())

    def apply(self, action: BreakerAction, by: str) -> Change:
        """See `BreakerModel.apply`; the action enters the history."""
        with self._lock:
            now_ms = self._now_ms()
            change = self._model.apply(action, by, now_ms)
            self._history.appendleft(BreakerEvent(moment(now_ms), by, action, change.before))
            return change

    def history(self) -> list[BreakerEvent]:
        """The last 100 actions, newest first."""
        return list(self._history)

    def read(self, policy: BreakerPolicy) -> BreakerSnapshot:
        """See `BreakerModel.read`."""
        with self._under(policy) as model:
            return replace(model.read(self._now_ms()), scope="process")

    @contextmanager
    def _under(self, policy: BreakerPolicy) -> Iterator[BreakerModel]:
        with self._lock:
            self._model.policy = policy
            yield self._model


class RedisStorage:
    """The state in Redis, one round trip per operation, on the server's clock unless `now_ms` is given.

    While Redis is unreachable, this process decides alone, beginning closed or as last forced, and outcomes
    of earlier permits are dropped. While Redis is readable but rejects writes (full disk, failover), the last
    known state holds. Use a client with short timeouts: each operation tries to connect once.

    Shape: hash `{prefix}:breaker:{name}`, sorted set `{prefix}:breaker:{name}:probes` and list
    `{prefix}:breaker:{name}:audit`; none of them expires.
    """

    name = "redis"
    scope: Scope = "fleet"

    def __init__(
        self, client: redis.Redis, name: str, *, prefix: str = "rollcall", now_ms: Clock | None = None
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._now_ms = now_ms
        self._key = f"{prefix}:breaker:{name}"
        self._keys = [self._key, f"{self._key}:probes"]
        self._audit = f"{self._key}:audit"
        self._lock = Lock()
        self._process: MemoryStorage | None = None
        self._forced: Forced | None = None
        self._last_error: tuple[str, int] | None = None

    def permit(self, policy: BreakerPolicy, n: int, token: str) -> Permit:
        """See `BreakerModel.permit`."""
        limits = [policy.recovery_ms, policy.success_threshold, policy.probe_ms, policy.ramp_ms]
        try:
            granted, retry_after_ms, generation, before, after, forced = self._scripts.breaker_permit(
                self._keys, [self._now(), n, token, *limits]
            )
        except UNREACHABLE:
            return self._alone().permit(policy, n, token)
        self._process, self._forced = None, _word(forced)
        return Permit(granted, retry_after_ms, generation, token, _change([before, after]), self._forced)

    def record(
        self,
        policy: BreakerPolicy,
        permit: Permit,
        outcomes: Sequence[bool | None],
        error: str | None = None,
    ) -> Change | None:
        """See `BreakerModel.record`; `error` is stored as the last one. None if Redis is unreachable."""
        if error is not None:
            self._last_error = error, (self._now_ms or host_ms)()
        if permit.scope == "process":
            process = self._process
            return None if process is None else process.record(policy, permit, outcomes, error)
        codes = "".join(_OUTCOMES[outcome] for outcome in outcomes)
        args = [self._now(), permit.generation, permit.token, codes, *_thresholds(policy), error or ""]
        try:
            return _change(self._scripts.breaker_record(self._keys, args))
        except UNREACHABLE:
            return None

    def apply(self, action: BreakerAction, by: str) -> Change:
        """See `BreakerModel.apply`; the action enters the history. Raises: UnreachableError."""
        with translate_errors():
            reply = self._scripts.breaker_apply([*self._keys, self._audit], [self._now(), action, by])
        self._forced = FORCED.get(action)
        return _change(reply)

    def history(self) -> list[BreakerEvent]:
        """The last 100 actions, newest first. Raises: UnreachableError."""
        with translate_errors():
            entries: Any = self._client.lrange(self._audit, 0, -1)
        return [_event(json.loads(entry)) for entry in entries]

    def read(self, policy: BreakerPolicy) -> BreakerSnapshot:
        """See `BreakerModel.read`."""
        try:
            state, failures, successes, since_ms, forced, forced_by, retry_after_ms, error, error_ms = (
                self._scripts.breaker_read([self._key], [self._now(), policy.recovery_ms])
            )
        except UNREACHABLE:
            return self._alone().read(policy)
        self._process = None
        return BreakerSnapshot(
            name="",
            state=_word(state),
            failures=failures,
            successes=successes,
            retry_after_seconds=retry_after_ms / 1000,
            since=moment(int(since_ms)) if since_ms else None,
            forced=_word(forced),
            forced_by=_word(forced_by),
            last_error=_word(error),
            last_error_at=moment(int(error_ms)) if error_ms else None,
        )

    def _alone(self) -> MemoryStorage:
        """The state of this process while Redis is unreachable."""
        with self._lock:
            if self._process is None:
                process = MemoryStorage(last_error=self._last_error, now_ms=self._now_ms or host_ms)
                if self._forced is not None:
                    action: BreakerAction = "force_open" if self._forced == "open" else "force_closed"
                    process.apply(action, "the fleet, last seen")
                self._process = process
            return self._process

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)


BreakerStorage = MemoryStorage | RedisStorage


def _thresholds(policy: BreakerPolicy) -> list[str | int]:
    ratio = "" if policy.failure_ratio is None else repr(float(policy.failure_ratio))
    counts = [policy.failure_threshold, policy.success_threshold]
    return [*counts, ratio, policy.window_ms, policy.minimum_calls]


def _event(entry: dict[str, Any]) -> BreakerEvent:
    return BreakerEvent(moment(entry["at_ms"]), entry["by"], entry["action"], entry["before"])


def _word(reply: bytes | str) -> Any:
    return text(reply) or None


def _change(reply: Sequence[bytes | str]) -> Change:
    before, after = reply
    return Change(_word(before), _word(after))
