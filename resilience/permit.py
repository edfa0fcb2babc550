"""What a breaker answers: a permit, a refusal, or what it is at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pybreaker

from domain.errors import TransientError
from resilience.circuit import Forced, State

Scope = Literal["fleet", "process"]
"""Who is of one mind: every process, through Redis, or this one alone while Redis cannot be reached."""

BreakerAction = Literal["force_open", "force_closed", "reset"]
"""What an operator may tell a breaker."""


@dataclass(frozen=True, slots=True)
class Permit:
    """`granted` requests may go out; each is owed an outcome in `CircuitBreaker.record`.

    Shape: `retry_after_seconds` is when to ask again for the rest, 0 when all were granted; `is_probe` while
    the breaker is half open.
    """

    granted: int
    retry_after_seconds: float
    generation: int
    token: str
    scope: Scope = "fleet"
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A state as listeners see it; `name` is pybreaker's "closed", "open" or "half-open"."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker at one moment, for people.

    Shape: `since` is None while the state has never changed. An open breaker whose recovery is over
    stays "open" with `retry_after_seconds` 0 until a request comes. `last_error` is why a request
    failed last, one line without secrets; it stays when the breaker closes.
    """

    name: str
    state: State
    failures: int
    successes: int
    retry_after_seconds: float
    since: datetime | None
    forced: Forced | None
    scope: Scope
    forced_by: str | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """What an operator told a breaker, and the state it was in `before`."""

    at: datetime
    by: str
    action: BreakerAction
    before: State


class CircuitBreakerError(pybreaker.CircuitBreakerError, TransientError):
    """The breaker did not let the call out; ask again after `retry_after_seconds`."""

    retry_after_seconds: float

    def __init__(self, name: str, retry_after_seconds: float) -> None:
        super().__init__(f"the breaker {name!r} lets no request out")
        self.retry_after_seconds = retry_after_seconds

    @property
    def retry_after(self) -> float:
        """Seconds until it is worth asking again."""
        return self.retry_after_seconds


def pybreaker_name(state: State) -> str:
    """The state as pybreaker spells it."""
    return state.replace("_", "-")
