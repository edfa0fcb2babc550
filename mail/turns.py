"""What a transport needs of the fleet's rate limit."""

from __future__ import annotations

from typing import Protocol


class RateLimiterPort(Protocol):
    """Spaces the requests of every process to one provider."""

    def wait(self) -> None:
        """Wait for a turn. Raises: RateLimitedError when none comes soon."""

    def hold(self, seconds: float) -> None:
        """Give nobody a turn before `seconds` from now."""
