from __future__ import annotations

from typing import get_args

import pytest

from domain import errors
from domain.observation import CheckFailure
from domain.section import SectionKey
from notifications.resend_events import DeliveryEventKind
from observability.recorders import CHECK_OUTCOMES, REPORTED, of_check

KEY = SectionKey("scraper", "2261", "12431")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (errors.UpstreamTimeoutError("why"), "timeout"),
        (errors.UnreachableError("why"), "unreachable"),
        (errors.UpstreamError("why"), "upstream"),
        (errors.MalformedResponseError("why"), "malformed"),
        (errors.RateLimitedError("why"), "rate_limited"),
        (errors.UnauthorisedError("why"), "unauthorised"),
        (errors.RejectedError("why"), "rejected"),
        (errors.PermanentError("why"), "other"),
    ],
)
def test_a_failure_has_a_word_that_is_known(error: errors.RollcallError, word: str) -> None:
    assert of_check(CheckFailure(KEY, error)) == word
    assert word in CHECK_OUTCOMES


def test_the_reported_outcomes_are_the_kinds_of_the_webhooks_events() -> None:
    # "sent" is counted when the transport takes the mail, and "other" says nothing of one.
    assert set(REPORTED) == set(get_args(DeliveryEventKind)) - {"sent", "other"}
