"""The circuit breaker's rules as a pure state machine, and its answers: permits, refusals, status.

It decides for one process while Redis is unreachable. It is also the model against which the Lua in
`lua/breaker_*.lua`, which decides for the whole fleet, is tested. The caller passes the time.

    closed --failure_threshold failures in a row, or failure_ratio of the window's calls--> open
    open --recovery_seconds, at the next request--> half open
    half open --success_threshold successful probes--> closed
    half open --one failure--> open
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pybreaker

from domain.errors import TransientError
from resilience.breaker_policy import DEFAULT_POLICY, BreakerPolicy, Ramp, Window

__all__ = [
    "DEFAULT_POLICY",
    "BreakerModel",
    "BreakerModelState",
    "BreakerPolicy",
    "Change",
    "Forced",
    "Grant",
    "State",
]

State = Literal["closed", "open", "half_open"]
Forced = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Change:
    """The states before and after one operation; equal if it changed nothing."""

    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Grant:
    """How many requests are granted, or when to ask again."""

    granted: int
    retry_after_ms: int
    generation: int
    change: Change
    forced: Forced | None


@dataclass(frozen=True, slots=True)
class BreakerModelState:
    """The state of a breaker at one moment. `since_ms` is None if it has never changed."""

    state: State
    failures: int
    successes: int
    since_ms: int | None
    forced: Forced | None
    forced_by: str | None
    retry_after_ms: int
    last_error: str | None = None
    last_error_ms: int | None = None


@dataclass(slots=True)
class BreakerModel:
    """One breaker's state. `generation` counts transitions, `probes` maps probe to end of lease in ms.

    `ramp` exists only after probes have closed it; a breaker closed by an operator does not ramp.
    """

    policy: BreakerPolicy
    state: State = "closed"
    failures: int = 0
    successes: int = 0
    generation: int = 0
    since_ms: int | None = None
    forced: Forced | None = None
    forced_by: str | None = None
    probes: dict[str, int] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    ramp: Ramp | None = None

    def permit(self, n: int, token: str, now_ms: int) -> Grant:
        """Grant up to `n` requests; `token` names their probes while half open."""
        before = self.state
        self._follow(now_ms)
        if before == "closed":
            return self._grant(*self._ramped(n, now_ms), before)
        if self.forced == "open" or self._wait_ms(now_ms) > 0:
            return self._grant(0, self._wait_ms(now_ms), before)
        if before == "open":
            self.successes = 0
            self._move("half_open", now_ms)
        self._expire(now_ms)
        granted = max(0, min(n, self._free_slots()))
        self.probes |= {f"{token}:{i}": now_ms + self.policy.probe_ms for i in range(granted)}
        return self._grant(granted, min(self.probes.values()) - now_ms if granted < n else 0, before)

    def record(self, generation: int, token: str, outcomes: Sequence[bool | None], now_ms: int) -> Change:
        """Count the outcomes of a permit, in order: True success, False failure, None excluded.

        Outcomes of another generation, and those after a transition, change nothing. A success counts while
        its probe holds its lease; a failure always counts.
        """
        before = self.state
        if generation == self.generation:
            self._expire(now_ms)
            for i, outcome in enumerate(outcomes):
                held = self.probes.pop(f"{token}:{i}", None) is not None
                self._count(outcome, held=held, now_ms=now_ms)
                if self.generation != generation:
                    break
        return Change(before, self.state)

    def force(self, forced: Forced | None, by: str, now_ms: int) -> Change:
        """Force it open or closed; None ends a forced state: closed, with all counts at zero."""
        before = self.state
        self.failures = self.successes = 0
        self.forced, self.forced_by = forced, by if forced else None
        self._move(forced or "closed", now_ms)
        return Change(before, self.state)

    def read(self, now_ms: int) -> BreakerModelState:
        """The current state, unchanged: an open circuit whose recovery is over still reads open."""
        return BreakerModelState(
            self.state,
            self.failures,
            self.successes,
            None if self.since_ms is None else min(self.since_ms, now_ms),
            self.forced,
            self.forced_by,
            self._wait_ms(now_ms),
        )

    def _count(self, outcome: bool | None, *, held: bool, now_ms: int) -> None:  # noqa: FBT001
        if outcome is None:
            return
        self._tally(has_failed=not outcome, held=held, now_ms=now_ms)
        if self._is_tripped(has_failed=not outcome):
            self._move("open", now_ms)
        elif outcome and held and self.successes >= self.policy.success_threshold:
            self.failures = self.successes = 0
            self._move("closed", now_ms)
            self.ramp = Ramp(now_ms)

    def _tally(self, *, has_failed: bool, held: bool, now_ms: int) -> None:
        if self.state == "closed" and self.policy.failure_ratio is not None:
            self.window.observe(has_failed=has_failed, now_ms=now_ms, window_ms=self.policy.window_ms)
        if has_failed:
            self.failures += 1
        elif self.state == "closed":
            self.failures = 0
        elif held:
            self.successes += 1

    def _is_tripped(self, *, has_failed: bool) -> bool:
        if self.state != "closed":
            return self.state == "half_open" and has_failed
        return not self.forced and (self.failures >= self.policy.failure_threshold or self._exceeds_ratio())

    def _exceeds_ratio(self) -> bool:
        ratio = self.policy.failure_ratio
        return ratio is not None and self.window.exceeds(ratio, self.policy.minimum_calls)

    def _ramped(self, n: int, now_ms: int) -> tuple[int, int]:
        if self.ramp is None:
            return n, 0
        return self.ramp.grant(n, self.policy.success_threshold, self.policy.ramp_ms, now_ms)

    def _free_slots(self) -> int:
        # A threshold lowered by a new release must not leave the breaker half open without free slots.
        threshold = self.policy.success_threshold
        return threshold - min(self.successes, threshold - 1) - len(self.probes)

    def _wait_ms(self, now_ms: int) -> int:
        if self.forced == "open":
            return self.policy.recovery_ms
        if self.state != "open":
            return 0
        return max(0, min(self.since_ms or 0, now_ms) + self.policy.recovery_ms - now_ms)

    def _follow(self, now_ms: int) -> None:
        """Bound times in the future, which a clock set back since has left behind."""
        if self.since_ms is not None:
            self.since_ms = min(self.since_ms, now_ms)
        longest_ms = now_ms + self.policy.probe_ms
        self.probes = {probe: min(ends_ms, longest_ms) for probe, ends_ms in self.probes.items()}

    def _expire(self, now_ms: int) -> None:
        self.probes = {probe: ends_ms for probe, ends_ms in self.probes.items() if ends_ms > now_ms}

    def _move(self, state: State, now_ms: int) -> None:
        self.state, self.since_ms = state, now_ms
        self.generation += 1
        self.probes, self.window, self.ramp = {}, Window(), None

    def _grant(self, granted: int, retry_after_ms: int, before: State) -> Grant:
        return Grant(granted, retry_after_ms, self.generation, Change(before, self.state), self.forced)


Scope = Literal["fleet", "process"]
"""The scope of a decision: all processes through Redis, or this one while Redis is unreachable."""

BreakerAction = Literal["force_open", "force_closed", "reset"]
"""The operator actions on a breaker."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission for `granted` requests; each needs an outcome in `CircuitBreaker.record`.

    Shape: `retry_after_seconds` is when to ask again for the rest, 0 if all were granted; `is_probe` while
    the breaker is half open.
    """

    granted: int
    retry_after_seconds: float
    generation: int
    token: str
    scope: Scope = "fleet"
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A state for listeners; `name` is pybreaker's "closed", "open" or "half-open"."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker at one moment, for display.

    Shape: `since` is None if the state has never changed. An open breaker whose recovery is over stays "open"
    with `retry_after_seconds` 0 until the next request. `last_error` is the reason of the last failure, one
    line without secrets; it remains when the breaker closes.
    """

    name: str
    state: State
    failures: int
    successes: int
    retry_after_seconds: float
    since: datetime | None
    forced: Forced | None
    scope: Scope
    forced_by: str | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """An operator action on a breaker, and the state `before` it."""

    at: datetime
    by: str
    action: BreakerAction
    before: State


class CircuitBreakerError(pybreaker.CircuitBreakerError, TransientError):
    """The breaker refused the call; ask again after `retry_after_seconds`."""

    retry_after_seconds: float

    def __init__(self, name: str, retry_after_seconds: float) -> None:
        super().__init__(f"the breaker {name!r} lets no request out")
        self.retry_after_seconds = retry_after_seconds

    @property
    def retry_after(self) -> float:
        """Seconds to wait before the next request."""
        return self.retry_after_seconds


def pybreaker_name(state: State) -> str:
    """The state in pybreaker's spelling."""
    return state.replace("_", "-")
