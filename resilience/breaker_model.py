"""The circuit breaker's rules as a pure state machine, and the values that it returns.

It decides for one process. It is also the model against which the Lua in `lua/breaker_*.lua`, which decides
for the whole fleet, is tested. The caller passes the time.

    closed --failure_threshold failures in a row, or failure_ratio of the window's calls--> open
    open --recovery_seconds, at the next request--> half open
    half open --success_threshold successful probes--> closed
    half open --one failure--> open
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

import pybreaker

from domain.errors import TransientError
from resilience.breaker_policy import DEFAULT_POLICY, BreakerPolicy, Ramp, Window
from resilience.scripts import moment

State = Literal["closed", "open", "half_open"]
Forced = Literal["open", "closed"]

Scope = Literal["fleet", "process"]
"""The scope of a decision: all processes through Redis, or this one alone."""

BreakerAction = Literal["force_open", "force_closed", "reset", "open", "half_open"]
"""A state that a person or the program sets; a forced one lasts until the next action."""

_TARGETS: dict[BreakerAction, State] = {
    "force_open": "open",
    "force_closed": "closed",
    "reset": "closed",
    "open": "open",
    "half_open": "half_open",
}
FORCED: dict[BreakerAction, Forced] = {"force_open": "open", "force_closed": "closed"}
"""The state that an action forces."""

PROBE_WAIT_SECONDS = 5.0
"""The maximum wait for the probes of others, which usually report long before their leases end."""


@dataclass(frozen=True, slots=True)
class Change:
    """The states before and after one operation; equal if it changed nothing."""

    before: State
    after: State


@dataclass(slots=True)
class Permit:
    """Permission for `granted` requests; each needs an outcome in `CircuitBreaker.record`.

    Shape: `retry_after_ms` is when to ask again for the rest, 0 if all were granted.
    """

    granted: int
    retry_after_ms: int
    generation: int
    token: str
    change: Change
    forced: Forced | None
    scope: Scope = "fleet"
    is_recorded: bool = field(default=False, compare=False)

    @property
    def is_probe(self) -> bool:
        """Whether the breaker is half open."""
        return self.change.after == "half_open"

    @property
    def retry_after_seconds(self) -> float:
        """When to ask again for the rest; probes usually end long before their leases."""
        seconds = self.retry_after_ms / 1000
        return min(seconds, PROBE_WAIT_SECONDS) if self.is_probe else seconds


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
    scope: Scope = "fleet"
    forced_by: str | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """An action on a breaker, and the state `before` it."""

    at: datetime
    by: str
    action: BreakerAction
    before: State


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A state for listeners; `name` is pybreaker's "closed", "open" or "half-open"."""

    name: str
    scope: Scope

    @classmethod
    def of(cls, state: State, scope: Scope) -> Self:
        """The state of the model, in pybreaker's spelling."""
        return cls(state.replace("_", "-"), scope)


class CircuitBreakerError(pybreaker.CircuitBreakerError, TransientError):
    """The breaker refuses the call, or has opened because of it; ask again after `retry_after_seconds`."""

    retry_after_seconds: float

    def __init__(self, name: str | None, retry_after_seconds: float) -> None:
        message = f"the circuit breaker {name or ''} refuses requests".replace("  ", " ")
        TransientError.__init__(self, message, retry_after_seconds=retry_after_seconds)


@dataclass(slots=True)
class BreakerModel:
    """One breaker's state. `generation` counts transitions, `probes` maps probe to end of lease in ms.

    `ramp` exists only after probes have closed it; a breaker closed by an operator does not ramp.
    `last_error` is the reason of the last failure, and its time in ms.
    """

    policy: BreakerPolicy = DEFAULT_POLICY
    state: State = "closed"
    failures: int = 0
    successes: int = 0
    generation: int = 0
    since_ms: int | None = None
    forced: Forced | None = None
    forced_by: str | None = None
    last_error: tuple[str, int] | None = None
    probes: dict[str, int] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    ramp: Ramp | None = None

    def permit(self, n: int, token: str, now_ms: int) -> Permit:
        """Grant up to `n` requests; `token` names their probes while half open."""
        before = self.state
        self._follow(now_ms)
        if before == "closed":
            return self._grant(*self._ramped(n, now_ms), token, before)
        if self.forced == "open" or self._wait_ms(now_ms) > 0:
            return self._grant(0, self._wait_ms(now_ms), token, before)
        if before == "open":
            self._move("half_open", now_ms)
        self._expire(now_ms)
        granted = max(0, min(n, self._free_slots()))
        self.probes |= {f"{token}:{i}": now_ms + self.policy.probe_ms for i in range(granted)}
        wait_ms = min(self.probes.values()) - now_ms if granted < n else 0
        return self._grant(granted, wait_ms, token, before)

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

    def apply(self, action: BreakerAction, by: str, now_ms: int) -> Change:
        """Set the state. "open" and "half_open" keep the count of failures; the other actions clear it."""
        before = self.state
        self.forced = FORCED.get(action)
        self.forced_by = by if self.forced else None
        if action not in ("open", "half_open"):
            self.failures = 0
        self._move(_TARGETS[action], now_ms)
        return Change(before, self.state)

    def read(self, now_ms: int) -> BreakerSnapshot:
        """The current state, unchanged: an open circuit whose recovery is over still reads open."""
        error, error_ms = self.last_error or (None, None)
        return BreakerSnapshot(
            name="",
            state=self.state,
            failures=self.failures,
            successes=self.successes,
            retry_after_seconds=self._wait_ms(now_ms) / 1000,
            since=None if self.since_ms is None else moment(min(self.since_ms, now_ms)),
            forced=self.forced,
            forced_by=self.forced_by,
            last_error=error,
            last_error_at=None if error_ms is None else moment(error_ms),
        )

    def _count(self, outcome: bool | None, *, held: bool, now_ms: int) -> None:  # noqa: FBT001
        if outcome is None:
            return
        self._add(has_failed=not outcome, held=held, now_ms=now_ms)
        if self._is_tripped(has_failed=not outcome):
            self._move("open", now_ms)
        elif outcome and held and self.successes >= self.policy.success_threshold:
            self.failures = 0
            self._move("closed", now_ms)
            self.ramp = Ramp(now_ms)

    def _add(self, *, has_failed: bool, held: bool, now_ms: int) -> None:
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
        self.successes = 0
        self.probes, self.window, self.ramp = {}, Window(), None

    def _grant(self, granted: int, retry_after_ms: int, token: str, before: State) -> Permit:
        change = Change(before, self.state)
        return Permit(granted, retry_after_ms, self.generation, token, change, self.forced)
