"""Virtual time: it advances only to the next scheduled event."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

START_MS = 1_768_467_600_000  # 15 January 2026, 09:00 UTC


class Timeline:
    """Scheduled events, ordered by time, then by the order of their scheduling."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay_ms: float, act: Callable[[], None]) -> None:
        self.at(self.now_ms + round(delay_ms), act)

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._planned, (max(at_ms, self.now_ms), self._count, act))

    @property
    def next_ms(self) -> int | None:
        """The time of the next event; None without one."""
        return self._planned[0][0] if self._planned else None

    def step(self) -> None:
        """Advance to the next event and execute it."""
        self.now_ms, _, act = heappop(self._planned)
        act()
