"""The ramp after closing: load comes back in doubling steps instead of all at once."""

from __future__ import annotations

from dataclasses import dataclass

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
