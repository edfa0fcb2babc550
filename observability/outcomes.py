"""What came of a check or of a mail, in one word: the values of the label `outcome`."""

from __future__ import annotations

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.observation import CheckFailure, Missing, Outcome

_OBSERVED, _MISSING, _OTHER = "observed", "missing", "other"
_FAILURES: dict[type[RollcallError], str] = {
    UpstreamTimeoutError: "timeout",
    UnreachableError: "unreachable",
    UpstreamError: "upstream",
    MalformedResponseError: "malformed",
    RateLimitedError: "rate_limited",
    UnauthorisedError: "unauthorised",
    RejectedError: "rejected",
}

CHECK_OUTCOMES = (_OBSERVED, _MISSING, *_FAILURES.values(), _OTHER)

SENT, DEAD = "sent", "dead"
REPORTED = (
    "delivered",
    "delayed",
    "bounced",
    "soft_bounced",
    "complained",
    "failed",
    "unsent",
    "suppressed",
)
"""What the mail provider reports afterwards, by its events' kinds."""

MAIL_OUTCOMES = (SENT, DEAD, *REPORTED)


def of_check(outcome: Outcome) -> str:
    """One of `CHECK_OUTCOMES`."""
    if isinstance(outcome, CheckFailure):
        return _FAILURES.get(type(outcome.error), _OTHER)
    return _MISSING if isinstance(outcome, Missing) else _OBSERVED
