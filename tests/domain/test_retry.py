from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    InvalidInputError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.retry import (
    ITEM_BACKOFF,
    MAX_DEFERRALS,
    Backoff,
    Subject,
    bounded_wait,
    breaker_outcome_of,
    subject_of,
)


@pytest.mark.parametrize(
    ("error", "subject", "verdict"),
    [
        (RejectedError("550"), Subject.ITEM, None),
        (InvalidInputError({"to": "no"}), Subject.ITEM, None),
        (IdempotencyKeyUsedError("409"), Subject.ITEM, None),
        (AccountRefusedError("quota"), Subject.ACCOUNT, None),
        (UnauthorisedError("401"), Subject.ACCOUNT, None),
        (RateLimitedError("429"), Subject.RATE, None),
        (UpstreamError("503"), Subject.TRANSPORT, False),
        (UpstreamTimeoutError("slow"), Subject.TRANSPORT, False),
        (UnreachableError("refused"), Subject.TRANSPORT, False),
        (MalformedResponseError("<html>"), Subject.TRANSPORT, False),
    ],
)
def test_only_the_transport_counts_for_a_breaker(
    error: Exception, subject: Subject, *, verdict: bool | None
) -> None:
    assert (subject_of(error), breaker_outcome_of(error)) == (subject, verdict)


@pytest.mark.parametrize(
    ("named", "seconds"),
    [(None, 0), (-1.0, 0), (float("nan"), 0), (30.0, 30), (1_209_600.0, 3600), (float("inf"), 3600)],
)
def test_a_wait_that_an_upstream_names_is_bounded(named: float | None, seconds: float) -> None:
    assert bounded_wait(named) == timedelta(seconds=seconds)


def test_a_back_off_doubles_to_its_maximum_and_heeds_a_named_wait() -> None:
    backoff = Backoff(first_seconds=5, last_seconds=300)
    assert [backoff.wait(n).total_seconds() for n in (0, 1, 2, 6, 7, 9999)] == [5, 10, 20, 300, 300, 300]
    assert backoff.wait(0, RateLimitedError("429", retry_after_seconds=77)).total_seconds() == 77
    assert backoff.wait(0, RateLimitedError("429", retry_after_seconds=1e12)) == timedelta(hours=1)


def test_an_item_is_postponed_for_about_a_day() -> None:
    waits = [ITEM_BACKOFF.wait(n) for n in range(MAX_DEFERRALS - 1)]
    assert timedelta(hours=23) < sum(waits, timedelta()) < timedelta(hours=25)
