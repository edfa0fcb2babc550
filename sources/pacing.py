"""How a source asks for its share of the requests that the fleet may make."""

from __future__ import annotations

from typing import Protocol


class Reservation(Protocol):
    """Reserved slots: request `i` of the batch starts `start_in_seconds + i * interval_seconds` from now."""

    @property
    def start_in_seconds(self) -> float:
        """How long the first request waits."""

    @property
    def interval_seconds(self) -> float:
        """How long each further request waits after the one before it."""


class Pacer(Protocol):
    """Hands out slots for the whole fleet. Neither call raises: one that lost its store has a fallback."""

    def reserve(self, n: int, *, patience_seconds: float) -> Reservation:
        """The slots of the next `n` requests; none is spent when the first is more than that away."""

    def hold(self, seconds: float) -> None:
        """Give out no slot for `seconds`: the other side asked for fewer requests."""
