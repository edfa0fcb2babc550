"""Classifies failures: their subject, what they say about the upstream's health, and the wait after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, auto

from domain.errors import AccountRefusedError, PermanentError, RateLimitedError, TransientError

LONGEST_NAMED_WAIT = timedelta(hours=1)
"""How long a wait named by an upstream is honoured; then it is asked again."""

ACCOUNT_RECHECK = timedelta(minutes=15)
"""How long after a refusal of the account or the sender the upstream is asked again."""


class Subject(StrEnum):
    """What a failure is about.

    ITEM: this recipient, letter or section alone. ACCOUNT: our account, credentials or sender, so that every
    item is refused alike until a person repairs it. RATE: too many requests. TRANSPORT: the other side, or
    the way to it.
    """

    ITEM = auto()
    ACCOUNT = auto()
    RATE = auto()
    TRANSPORT = auto()


def subject_of(error: BaseException) -> Subject:
    """What `error` is about."""
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
    """The outcome that `error` is to a circuit breaker: False for the transport alone, else None."""
    return False if subject_of(error) is Subject.TRANSPORT else None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off from `first_seconds` to `last_seconds`; what an upstream names is bounded."""

    first_seconds: float
    last_seconds: float
    longest_named: timedelta = LONGEST_NAMED_WAIT

    def wait(self, failures: int, error: BaseException | None = None) -> timedelta:
        """How long to wait after `error`, with `failures` earlier ones."""
        own = timedelta(seconds=min(self.first_seconds * 2.0 ** min(failures, 32), self.last_seconds))
        return max(own, named_wait(error, self.longest_named))


ITEM_BACKOFF = Backoff(first_seconds=60, last_seconds=3600)
MAX_DEFERRALS = 30  # with `ITEM_BACKOFF` about a day
"""How often one item is put off before it is given up."""


def named_wait(error: BaseException | None, longest: timedelta = LONGEST_NAMED_WAIT) -> timedelta:
    """The wait that the upstream named in `error`, at most `longest`; zero where it named none."""
    return bounded_wait(error.retry_after_seconds if isinstance(error, TransientError) else None, longest)


def bounded_wait(named_seconds: float | None, longest: timedelta = LONGEST_NAMED_WAIT) -> timedelta:
    """`named_seconds` as an upstream wrote them, at most `longest`; zero for what names no time."""
    if named_seconds is None or not named_seconds > 0:  # also NaN
        return timedelta(0)
    return timedelta(seconds=min(named_seconds, longest.total_seconds()))
