"""What a circuit breaker goes by: when it trips, waits, probes, closes and ramps up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
