"""A circuit breaker shared by the whole fleet, for batches and, like pybreaker, for single calls.

`permit(n)` and `record(permit, outcomes)` guard a batch in two round trips; `call` and its variants guard one
call. While Redis is unreachable, each process decides for itself by the same rules. While Redis is readable
but refuses writes (full disk, failover), the last known state holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

import pybreaker
import redis

from domain.text import describe
from resilience.breaker_model import (
    BreakerEvent,
    BreakerModel,
    BreakerModelState,
    BreakerSnapshot,
    BreakerState,
    Change,
    Forced,
    Grant,
    Permit,
    Scope,
    pybreaker_name,
)
from resilience.breaker_policy import DEFAULT_POLICY, BreakerPolicy
from resilience.breaker_redis import RedisBreakerState
from resilience.guard import Exclusion, Guard, Stopwatch
from resilience.scripts import UNREACHABLE, Clock, translate_errors

T = TypeVar("T")

PROBE_WAIT_SECONDS = 5.0
"""The maximum wait for the probes of others, which usually report long before their leases end."""


class CircuitBreaker(Guard):
    """One named breaker, shared by every process that uses the same Redis, `prefix` and `name`.

    `listeners` are notified of each transition once, in the process that caused it, and of a switch between
    fleet and process scope in every process that notices it. `exclude` lists exception classes or predicates
    that do not count. `describe` formats an error for display, without secrets.
    Interrupts (a BaseException that is not an Exception) never count.
    Use a client with short timeouts: an unreachable Redis costs one attempt per operation.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        client: redis.Redis,
        policy: BreakerPolicy = DEFAULT_POLICY,
        *,
        listeners: Iterable[pybreaker.CircuitBreakerListener] = (),
        exclude: Iterable[Exclusion] = (),
        now_ms: Clock | None = None,
        monotonic: Stopwatch = time.monotonic,
        prefix: str = "rollcall",
        describe: Callable[[BaseException], str] = describe,
    ) -> None:
        super().__init__(name, policy, listeners=listeners, exclude=exclude, monotonic=monotonic)
        self._fleet = RedisBreakerState(client, name, policy, prefix=prefix, now_ms=now_ms)
        self._now_ms = now_ms or _system_ms
        self._process: BreakerModel | None = None
        self._describe = describe
        self._last_error: tuple[str, int] | None = None
        self._seen = BreakerState(pybreaker.STATE_CLOSED, "fleet")
        self._forced: Forced | None = None

    def permit(self, n: int) -> Permit:
        """Request `n` permits; half open grants only free probe slots, open grants none.

        For `policy.ramp_seconds` after its probes have closed it, each step grants at most its remaining
        budget; the rest is refused until the next step. A refusal costs nothing.
        In process scope the breaker starts closed, or as the operator last forced it.
        """
        token = uuid4().hex
        grant, scope = self._ask(
            lambda fleet: fleet.permit(n, token), lambda process, now_ms: process.permit(n, token, now_ms)
        )
        if scope == "fleet":
            self._forced = grant.forced
        self._notice(grant.change, scope)
        is_probe = grant.change.after == "half_open"
        return Permit(grant.granted, _wait_seconds(grant), grant.generation, token, scope, is_probe)

    def record(
        self,
        permit: Permit,
        outcomes: Sequence[bool | None],
        durations_seconds: Sequence[float] | None = None,
    ) -> None:
        """Record the outcomes of the granted requests, in order: True success, False failure, None excluded.

        Requests without an outcome count as excluded. With `durations`, one per outcome, a success that took
        longer than `policy.slow_call_seconds` counts as a failure. A permit of an older generation or of
        another scope changes nothing.
        Raises: ValueError for more outcomes than granted requests, or a different number of durations.
        """
        judged = self.policy.judge(outcomes, durations_seconds)
        if len(outcomes) > permit.granted:
            raise ValueError(f"{len(outcomes)} outcomes for {permit.granted} granted requests")
        if not permit.granted:
            return
        told = [*judged, *[None] * (permit.granted - len(outcomes))]
        if permit.scope == "process":
            self._record_in_process(permit, told)
            return
        try:
            change = self._fleet.record(permit.generation, permit.token, told)
        except UNREACHABLE:
            return
        self._notice(change, "fleet")

    def note_error(self, error: BaseException) -> None:
        """Store `error` as the reason of the last failure, one line formatted by `describe`.

        It is stored for the fleet, and in this process while Redis is unreachable. One round trip.
        """
        text = self._describe(error)
        self._last_error = text, self._now_ms()
        with suppress(*UNREACHABLE):
            self._fleet.note_error(text)

    def force_open(self, by: str) -> None:
        """Force it open until `reset`, independent of process restarts.

        It survives a restart of Redis if Redis keeps an append-only file, as does `history`.
        Raises: UnreachableError, as do `force_closed`, `reset` and `history`.
        """
        self._force("open", by)

    def force_closed(self, by: str) -> None:
        """Force it closed until `reset`: every request is permitted; failures are still counted."""
        self._force("closed", by)

    def reset(self, by: str) -> None:
        """End a forced state: closed, with all counts at zero."""
        self._force(None, by)

    def history(self) -> list[BreakerEvent]:
        """The last 100 operator actions, newest first."""
        with translate_errors():
            return self._fleet.history()

    def snapshot(self) -> BreakerSnapshot:
        """The current state; reading changes nothing."""
        reading, scope = self._ask(lambda fleet: fleet.read(), lambda process, now_ms: process.read(now_ms))
        if scope == "process" and self._last_error is not None:
            text, at_ms = self._last_error
            reading = replace(reading, last_error=text, last_error_ms=at_ms)
        self._notice(Change(reading.state, reading.state), scope)
        return _snapshot(self.name, reading, scope)

    def _ask(
        self, fleet: Callable[[RedisBreakerState], T], process: Callable[[BreakerModel, int], T]
    ) -> tuple[T, Scope]:
        """The fleet's answer, or this process's own while Redis is unreachable."""
        try:
            answer = fleet(self._fleet)
        except UNREACHABLE:
            return self._ask_process(process), "process"
        with self._lock:
            self._process = None
        return answer, "fleet"

    def _ask_process(self, process: Callable[[BreakerModel, int], T]) -> T:
        with self._lock:
            if self._process is None:
                self._process = BreakerModel(self.policy)
                if self._forced:
                    self._process.force(self._forced, "the fleet, last seen", self._now_ms())
            return process(self._process, self._now_ms())

    def _record_in_process(self, permit: Permit, told: Sequence[bool | None]) -> None:
        with self._lock:
            if self._process is None:
                return
            change = self._process.record(permit.generation, permit.token, told, self._now_ms())
        self._notice(change, "process")

    def _force(self, forced: Forced | None, by: str) -> None:
        with translate_errors():
            change = self._fleet.force(forced, by)
        self._forced = forced
        self._notice(change, "fleet")

    def _notice(self, change: Change, scope: Scope) -> None:
        before = BreakerState(pybreaker_name(change.before), scope)
        after = BreakerState(pybreaker_name(change.after), scope)
        with self._lock:
            seen, self._seen = self._seen, after
        if seen.scope != scope:
            self._tell(seen, before)
        if before != after:
            self._tell(before, after)


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


def _wait_seconds(grant: Grant) -> float:
    seconds = grant.retry_after_ms / 1000
    return min(seconds, PROBE_WAIT_SECONDS) if grant.change.after == "half_open" else seconds


def _snapshot(name: str, reading: BreakerModelState, scope: Scope) -> BreakerSnapshot:
    return BreakerSnapshot(
        name=name,
        state=reading.state,
        failures=reading.failures,
        successes=reading.successes,
        retry_after_seconds=reading.retry_after_ms / 1000,
        since=_moment(reading.since_ms),
        forced=reading.forced,
        scope=scope,
        forced_by=reading.forced_by,
        last_error=reading.last_error,
        last_error_at=_moment(reading.last_error_ms),
    )


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
