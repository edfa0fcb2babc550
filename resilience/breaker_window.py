"""The window of the failure ratio: how many of the latest calls failed, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass, field

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
