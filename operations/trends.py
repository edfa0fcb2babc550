"""How it has been going: what takes the database a moment to sum up."""

from __future__ import annotations

from dataclasses import dataclass

from actors.services import Services
from observability.checks.unavailable import Unavailable, read_or_unavailable
from store.statistics import Hour, Latency


@dataclass(frozen=True, slots=True)
class Trends:
    """The last 24 hours by the clock, the oldest first; and how fast mail left in the last day."""

    hours: list[Hour] | Unavailable
    latency: Latency | Unavailable


def read(services: Services) -> Trends:
    """Sum it up anew."""
    statistics, now = services.store.statistics, services.clock.now()
    return Trends(
        read_or_unavailable(lambda: statistics.hours(now)),
        read_or_unavailable(lambda: statistics.latency(now)),
    )
