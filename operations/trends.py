"""Trends over the last day: figures that are expensive to query."""

from __future__ import annotations

from dataclasses import dataclass

from actors.services import Services
from observability.checks.unavailable import Unavailable, read_or_unavailable
from store.statistics import Hour, Latency


@dataclass(frozen=True, slots=True)
class Trends:
    """The last 24 hours by clock hour, oldest first; and mail throughput of the last day."""

    hours: list[Hour] | Unavailable
    latency: Latency | Unavailable


def read(services: Services) -> Trends:
    """Compute the trends."""
    statistics, now = services.store.statistics, services.clock.now()
    return Trends(
        read_or_unavailable(lambda: statistics.hours(now)),
        read_or_unavailable(lambda: statistics.latency(now)),
    )
