"""Classifies failures: their subject, what they say about the upstream's health, and the wait after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, auto

from domain.errors import (
    AccountRefusedError,
    PermanentError,
    RateLimitedError,
    RollcallError,
    TransientError,
)

LONGEST_NAMED_WAIT = timedelta(hours=1)
"""The maximum wait that is honoured when an upstream asks for one."""

ACCOUNT_RECHECK = timedelta(minutes=15)
"""The wait before the next attempt after the account or the sender was refused."""


class Subject(StrEnum):
    """The subject of a failure.

    ITEM: this recipient, message or section only. ACCOUNT: our account, credentials or sender; every item is
    refused until a person fixes it. RATE: too many requests. TRANSPORT: the upstream, or the network to it.
    """

    ITEM = auto()
    ACCOUNT = auto()
    RATE = auto()
    TRANSPORT = auto()


def subject_of(error: BaseException) -> Subject:
    """The subject of `error`."""
    match error:
        case AccountRefusedError():
            return Subject.ACCOUNT
        case RateLimitedError():
            return Subject.RATE
        case PermanentError():
            return Subject.ITEM
        case _:
            return Subject.TRANSPORT


def verdict_on(error: BaseException) -> bool | None:
    """The outcome of `error` for a circuit breaker: False for TRANSPORT, else None."""
    return False if subject_of(error) is Subject.TRANSPORT else None


def is_upstream_failure(error: BaseException) -> bool:
    """Whether `error` counts against the upstream: one that Rollcall raises on purpose, for TRANSPORT."""
    return isinstance(error, RollcallError) and subject_of(error) is Subject.TRANSPORT


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off from `first_seconds` to `last_seconds`, or the wait of an upstream if longer."""

    first_seconds: float
    last_seconds: float
    longest_named: timedelta = LONGEST_NAMED_WAIT

    def wait(self, failures: int, error: BaseException | None = None) -> timedelta:
        """The wait after `error` and `failures` earlier failures."""
        own = timedelta(seconds=min(self.first_seconds * 2.0 ** min(failures, 32), self.last_seconds))
        return max(own, named_wait(error, self.longest_named))


ITEM_BACKOFF = Backoff(first_seconds=60, last_seconds=3600)
MAX_DEFERRALS = 30  # with `ITEM_BACKOFF` about a day
"""How often one item is deferred before it is dead."""


def named_wait(error: BaseException | None, longest: timedelta = LONGEST_NAMED_WAIT) -> timedelta:
    """The wait that the upstream asked for in `error`, at most `longest`; zero if it asked for none."""
    return bounded_wait(error.retry_after_seconds if isinstance(error, TransientError) else None, longest)


def bounded_wait(named_seconds: float | None, longest: timedelta = LONGEST_NAMED_WAIT) -> timedelta:
    """`named_seconds` of an upstream, at most `longest`; zero if it is not a positive number."""
    if named_seconds is None or not named_seconds > 0:  # also NaN
        return timedelta(0)
    return timedelta(seconds=min(named_seconds, longest.total_seconds()))
