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

    With a `failure_ratio` it opens also when, of at least `minimum_calls` that ended within the window,
    that share or more failed. With `slow_call_seconds` a success that took longer is a failure. With
    `ramp_seconds` a breaker that its probes have closed grants at most success_threshold * 2^k requests
    in step k of ten equal steps, counted from 0, and then everything.

    Units: a probe that has not reported for `probe_seconds` loses its slot. `failure_ratio` is above 0
    and at most 1. Raises: ValueError for a policy that could never work.
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
        """How long it stays open."""
        return round(self.recovery_seconds * 1000)

    @property
    def probe_ms(self) -> int:
        """How long a probe may take."""
        return round(self.probe_seconds * 1000)

    @property
    def window_ms(self) -> int:
        """How far back the failure ratio looks."""
        return round(self.window_seconds * 1000)

    @property
    def ramp_ms(self) -> int:
        """How long it ramps up after its probes have closed it."""
        return round(self.ramp_seconds * 1000)

    def judge(
        self, outcomes: Sequence[bool | None], durations_seconds: Sequence[float] | None
    ) -> list[bool | None]:
        """The outcomes with the slow successes as failures. Raises: ValueError, not one duration for each."""
        if durations_seconds is None:
            return list(outcomes)
        if len(durations_seconds) != len(outcomes):
            raise ValueError(f"{len(durations_seconds)} durations for {len(outcomes)} outcomes")
        return [
            False if outcome and self._is_slow(seconds) else outcome
            for outcome, seconds in zip(outcomes, durations_seconds, strict=True)
        ]

    def _is_slow(self, seconds: float) -> bool:
        return self.slow_call_seconds is not None and seconds > self.slow_call_seconds


DEFAULT_POLICY = BreakerPolicy()


STEPS = 10
"""Equal steps of a ramp; each grants twice what the one before it granted."""


@dataclass(slots=True)
class Ramp:
    """What the running step has granted; the model of the ramp in `lua/breaker_permit.lua`.

    Step k, counted from 0, grants at most `first` * 2^k: so by its end no more than `first` * (2^(k+1) - 1)
    requests have gone out. Refusals are not counted. A grant is spent even when it is not used.
    """

    since_ms: int
    step: int = 0
    granted: int = 0

    def grant(self, n: int, first: int, ramp_ms: int, now_ms: int) -> tuple[int, int]:
        """How many of `n` requests may go out, and in how many ms the next step begins if not all."""
        self.since_ms = min(self.since_ms, now_ms)  # it began ahead of a clock that was set back since
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
"""Steps in which the window slides."""


@dataclass(slots=True)
class Window:
    """Calls and failures by the start of their bucket in ms; the model of `lua/breaker_window.lua`.

    A bucket counts while its start lies within the window: so an outcome counts for nine tenths of the
    window at least, and never for longer than the window. A clock that was set back forgets the future.
    """

    buckets: dict[int, tuple[int, int]] = field(default_factory=dict)

    def observe(self, *, has_failed: bool, now_ms: int, window_ms: int) -> None:
        """Count one call, and forget the buckets that the window has left behind."""
        start_ms = now_ms - now_ms % (window_ms // BUCKETS)
        self.buckets = {
            ms: counts for ms, counts in self.buckets.items() if now_ms - window_ms < ms <= start_ms
        }
        calls, failures = self.buckets.get(start_ms, (0, 0))
        self.buckets[start_ms] = (calls + 1, failures + has_failed)

    def exceeds(self, ratio: float, minimum_calls: int) -> bool:
        """Whether it holds calls enough, and `ratio` of them or more failed, as of the last call."""
        calls = sum(calls for calls, _ in self.buckets.values())
        failures = sum(failures for _, failures in self.buckets.values())
        return calls >= minimum_calls and failures / calls >= ratio
