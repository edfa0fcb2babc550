"""Classifies failures: their subject, what they say about the upstream's health, and the wait after them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

from domain.errors import (
    AccountRefusedError,
    PermanentError,
    RateLimitedError,
    RollcallError,
    TransientError,
)
from domain.text import http_date

LONGEST_NAMED_WAIT = timedelta(hours=1)
"""The maximum wait that is honoured when an upstream asks for one."""

ACCOUNT_RECHECK = timedelta(minutes=15)
"""The wait before the next attempt after the account or the sender was refused."""

LONGEST_HIDDEN_WAIT = timedelta(minutes=1)
"""Longer waits for an upstream become pauses, which an operator can see and end."""


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


def breaker_outcome_of(error: BaseException) -> bool | None:
    """The outcome of `error` for a circuit breaker: False for TRANSPORT, else None."""
    return False if subject_of(error) is Subject.TRANSPORT else None


def is_upstream_failure(error: BaseException) -> bool:
    """Whether `error` counts against the upstream: one that Rollcall raises on purpose, for TRANSPORT."""
    return isinstance(error, RollcallError) and subject_of(error) is Subject.TRANSPORT


def pause_after(error: BaseException, wait: timedelta) -> timedelta | None:
    """How long to pause the upstream of `error`, which requires `wait`; None if its items wait one by one."""
    match subject_of(error):
        case Subject.ACCOUNT:
            return ACCOUNT_RECHECK
        case Subject.RATE if wait > LONGEST_HIDDEN_WAIT:
            return wait
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off from `first_seconds` to `last_seconds`, or the wait of an upstream if longer.

    Each wait is `factor` times the one before.
    """

    first_seconds: float
    last_seconds: float
    longest_named: timedelta = LONGEST_NAMED_WAIT
    factor: float = 2.0

    def wait(self, failures: int, error: BaseException | None = None) -> timedelta:
        """The wait after `error` and `failures` earlier failures."""
        own = timedelta(seconds=min(self.first_seconds * self.factor ** min(failures, 32), self.last_seconds))
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


_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def retry_after_seconds(header: str | None, now: datetime | None) -> float | None:
    """The wait that a `Retry-After` header asks for, at most an hour; None without a valid header.

    Shape: a date needs `now`. Source: RFC 9110, 10.2.3: whole seconds or an HTTP date; some services send
    fractions of a second.
    """
    header = (header or "").strip()
    if _SECONDS.fullmatch(header):
        return min(float(header), LONGEST_NAMED_WAIT.total_seconds())
    at = http_date(header)
    if at is None or now is None:
        return None
    return min(max(0.0, (at - now).total_seconds()), LONGEST_NAMED_WAIT.total_seconds())
