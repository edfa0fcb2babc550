from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.errors import (
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
)
from payments.refunds import StripeRefunds
from tests.standins.stripe import StripeStandIn


@pytest.fixture
def stripe() -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        yield running


@pytest.fixture
def refund(stripe: StripeStandIn) -> StripeRefunds:
    return StripeRefunds(stripe.secret_key, stripe.url)


def test_one_key_refunds_once(stripe: StripeStandIn, refund: StripeRefunds) -> None:
    assert [refund("pi_1", "key"), refund("pi_1", "key")] == ["re_pi_1", "re_pi_1"]
    assert [made["payment_intent"] for made in stripe.refunds] == ["pi_1"]


def test_what_was_refunded_under_another_key_is_done(stripe: StripeStandIn, refund: StripeRefunds) -> None:
    refund("pi_1", "key")
    assert refund("pi_1", "another") == "charge_already_refunded"
    assert len(stripe.refunds) == 1


def test_a_refund_that_failed_at_once_gave_nothing_back(stripe: StripeStandIn, refund: StripeRefunds) -> None:
    stripe.refund_status = "failed"
    with pytest.raises(RejectedError, match="the refund re_pi_1 is failed"):
        refund("pi_1", "key")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, UpstreamError),
        (409, UpstreamError),
        (429, RateLimitedError),
        (403, UnauthorisedError),
        (400, RejectedError),
        (None, UnreachableError),
    ],
)
def test_a_failure_says_whether_to_try_again(
    stripe: StripeStandIn, refund: StripeRefunds, status: int | None, kind: type[RollcallError]
) -> None:
    stripe.troubles.append(status)
    with pytest.raises(kind):
        refund("pi_1", "key")
    assert refund("pi_1", "key") == "re_pi_1"


def test_a_wrong_key_is_refused_and_never_told(stripe: StripeStandIn) -> None:
    refund = StripeRefunds("sk_wrong_key", stripe.url)
    with pytest.raises(UnauthorisedError) as refused:
        refund("pi_1", "key")
    assert "sk_wrong_key" not in f"{refused.value} {refund!r}"


def test_a_refund_whose_answer_is_lost_is_made_once(stripe: StripeStandIn, refund: StripeRefunds) -> None:
    stripe.troubles.append(None)
    stripe.takes_in_trouble = True
    with pytest.raises(UnreachableError):
        refund("pi_1", "key")
    assert refund("pi_1", "key") == "re_pi_1"
    assert len(stripe.refunds) == 1
