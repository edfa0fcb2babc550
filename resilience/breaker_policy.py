"""The parameters of a circuit breaker, its ramp and its failure window.

The ramp restores load in doubling steps after the circuit closes. The window counts failures among the latest
calls, in constant memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker trips, waits, probes, closes and ramps up.

    With a `failure_ratio` it also opens if at least that share of at least `minimum_calls` within the window
    failed. With `slow_call_seconds` a slower success is a failure. With `ramp_seconds` a breaker closed by
    its probes grants at most success_threshold * 2^k requests in step k of ten equal steps, counted from 0,
    and then everything.

    A probe that has not reported after `probe_seconds` loses its slot. `failure_ratio` is above 0 and at most
    1. Raises: ValueError for an inconsistent policy.
    """

    failure_threshold: int = 10
    recovery_seconds: float = 120
    success_threshold: int = 3
    probe_seconds: float = 60
    failure_ratio: float | None = None
    window_seconds: int = 60
    minimum_calls: int = 20
    slow_call_seconds: float | None = None
    ramp_seconds: float = 0

    def __post_init__(self) -> None:
        counts = (self.failure_threshold, self.success_threshold, self.window_seconds, self.minimum_calls)
        is_sound = (
            min(counts) >= 1
            and min(self.recovery_seconds, self.ramp_seconds) >= 0
            and (self.failure_ratio is None or 0 < self.failure_ratio <= 1)
            and (self.slow_call_seconds is None or self.slow_call_seconds > 0)
        )
        if not is_sound:
            raise ValueError(f"a breaker cannot work by {self}")

    @property
    def recovery_ms(self) -> int:
        """Duration of the open state."""
        return round(self.recovery_seconds * 1000)

    @property
    def probe_ms(self) -> int:
        """Lease of a probe."""
        return round(self.probe_seconds * 1000)

    @property
    def window_ms(self) -> int:
        """Length of the failure window."""
        return round(self.window_seconds * 1000)

    @property
    def ramp_ms(self) -> int:
        """Duration of the ramp."""
        return round(self.ramp_seconds * 1000)

    def judge(
        self, granted: int, outcomes: Sequence[bool | None], durations_seconds: Sequence[float] | None = None
    ) -> list[bool | None]:
        """The outcomes of all `granted` requests: slow successes failed, missing outcomes are excluded.

        Raises: ValueError for more outcomes than requests, and unless each has a duration.
        """
        if len(outcomes) > granted:
            raise ValueError(f"{len(outcomes)} outcomes for {granted} granted requests")
        if durations_seconds is None:
            durations_seconds = [0] * len(outcomes)
        if len(durations_seconds) != len(outcomes):
            raise ValueError(f"{len(durations_seconds)} durations for {len(outcomes)} outcomes")
        judged = [
            False if outcome and self._is_slow(seconds) else outcome
            for outcome, seconds in zip(outcomes, durations_seconds, strict=True)
        ]
        return [*judged, *[None] * (granted - len(judged))]

    def _is_slow(self, seconds: float) -> bool:
        return self.slow_call_seconds is not None and seconds > self.slow_call_seconds


DEFAULT_POLICY = BreakerPolicy()


STEPS = 10
"""Number of equal steps of a ramp; each grants twice as much as the previous one."""


@dataclass(slots=True)
class Ramp:
    """The grants of the current step; the model of the ramp in `lua/breaker_permit.lua`.

    Step k, counted from 0, grants at most `first` * 2^k, so at most `first` * (2^(k+1) - 1) requests are
    granted by its end. Refusals are not counted. An unused grant counts.
    """

    since_ms: int
    step: int = 0
    granted: int = 0

    def grant(self, n: int, first: int, ramp_ms: int, now_ms: int) -> tuple[int, int]:
        """How many of `n` requests are granted, and, if not all, in how many ms the next step begins."""
        self.since_ms = min(self.since_ms, now_ms)  # the clock may have been set back
        elapsed_ms = now_ms - self.since_ms
        if elapsed_ms >= ramp_ms:
            return n, 0
        step = elapsed_ms * STEPS // ramp_ms
        if step != self.step:
            self.step, self.granted = step, 0
        granted = max(0, min(n, first * 2**step - self.granted))
        self.granted += granted
        next_step_ms = -(-(step + 1) * ramp_ms // STEPS)
        return granted, next_step_ms - elapsed_ms if granted < n else 0


BUCKETS = 10
"""Number of steps in which the window slides."""


@dataclass(slots=True)
class Window:
    """Calls and failures by the start of their bucket in ms; the model of `lua/breaker_window.lua`.

    A bucket counts while its start lies within the window, so an outcome counts for at least nine tenths of
    the window and never longer than the window. Buckets in the future of a clock set back are dropped.
    """

    buckets: dict[int, tuple[int, int]] = field(default_factory=dict)

    def observe(self, *, has_failed: bool, now_ms: int, window_ms: int) -> None:
        """Count one call, and drop the buckets outside the window."""
        start_ms = now_ms - now_ms % (window_ms // BUCKETS)
        self.buckets = {
            ms: counts for ms, counts in self.buckets.items() if now_ms - window_ms < ms <= start_ms
        }
        calls, failures = self.buckets.get(start_ms, (0, 0))
        self.buckets[start_ms] = (calls + 1, failures + has_failed)

    def exceeds(self, ratio: float, minimum_calls: int) -> bool:
        """Whether at least `minimum_calls` are counted and `ratio` of them or more failed."""
        calls = sum(calls for calls, _ in self.buckets.values())
        failures = sum(failures for _, failures in self.buckets.values())
        return calls >= minimum_calls and failures / calls >= ratio
