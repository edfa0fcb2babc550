"""The geometry of a section's open seats over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.history import HistoryEntry

WIDTH, HEIGHT = 600.0, 110.0


@dataclass(frozen=True, slots=True)
class SeatsChart:
    """A line that steps at each sighting, broken where the seats were unknown; y counts downwards."""

    path: str
    most: int
    since: datetime


def seats_chart(history: Sequence[HistoryEntry], now: datetime) -> SeatsChart | None:
    """The chart of `history`, the newest first; None where there is no line to draw."""
    counts = [seen.open_seats for seen in history if seen.open_seats is not None]
    if not counts:
        return None
    since, most = history[-1].observed_at, max(counts)
    span_seconds = max((now - since).total_seconds(), 1.0)
    ends = [now, *(seen.observed_at for seen in history[:-1])]
    path, is_drawing = "", False
    for seen, end in zip(reversed(history), reversed(ends), strict=True):
        if seen.open_seats is None:
            is_drawing = False
            continue
        y = round(HEIGHT - HEIGHT * seen.open_seats / max(most, 1), 1)
        path += f"V{y}" if is_drawing else f"M{_x(seen.observed_at, since, span_seconds)} {y}"
        path += f"H{_x(end, since, span_seconds)}"
        is_drawing = True
    return SeatsChart(path, most, since)


def _x(at: datetime, since: datetime, span_seconds: float) -> float:
    return round(WIDTH * (at - since).total_seconds() / span_seconds, 1)
