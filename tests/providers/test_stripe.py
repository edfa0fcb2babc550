from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.money import Payment, Refund, RefundState
from providers.stripe import KeyUsedError, StripeRefunds
from tests.standins.stripe import StripeStandIn

PAID = Payment("cs_1", "pi_1", "job", amount=900, currency="usd")
MADE = Refund("re_pi_1", RefundState.SUCCEEDED, 900, is_ours=True)


@pytest.fixture
def stripe() -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        yield running


@pytest.fixture
def refunds(stripe: StripeStandIn) -> StripeRefunds:
    return StripeRefunds(stripe.secret_key, stripe.url)


def by_hand(status: str = "succeeded", amount: int = 900, refund_id: str = "re_hand") -> dict[str, object]:
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "payment_intent": "pi_1",
        "metadata": {},
        "status": status,
    }


def test_one_key_refunds_once(stripe: StripeStandIn, refunds: StripeRefunds) -> None:
    assert [refunds.create(PAID, "key"), refunds.create(PAID, "key")] == [MADE, MADE]
    assert [made["payment_intent"] for made in stripe.refunds] == ["pi_1"]


def test_a_payment_refunded_under_another_key_has_its_existing_refund(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    stripe.refund_status = "pending"
    refunds.create(PAID, "key")
    found = refunds.create(PAID, "another")
    assert (found.id, found.state, len(stripe.refunds)) == ("re_pi_1", RefundState.PENDING, 1)


@pytest.mark.parametrize(
    ("status", "state"),
    [(state.value, state) for state in RefundState] + [("reversed", RefundState.PENDING)],
)
def test_an_unknown_state_of_a_refund_counts_as_pending(
    stripe: StripeStandIn, refunds: StripeRefunds, status: str, state: RefundState
) -> None:
    stripe.refund_status = status
    assert refunds.create(PAID, "key").state is state
    found = refunds.find(PAID)
    assert found is not None
    assert found.state is state


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, KeyUsedError),
        (503, KeyUsedError),
        (409, UpstreamError),
        (429, RateLimitedError),
        (403, UnauthorisedError),
        (400, RejectedError),
        (None, MalformedResponseError),
    ],
)
def test_a_failure_has_a_type_and_a_retry_succeeds(
    stripe: StripeStandIn, refunds: StripeRefunds, status: int | None, kind: type[RollcallError]
) -> None:
    stripe.troubles.append(status)
    with pytest.raises(kind) as raised:
        refunds.create(PAID, "key")
    assert type(raised.value) is kind
    assert refunds.create(PAID, "key" if kind is not KeyUsedError else "another") == MADE


def test_a_stored_failure_needs_another_key(stripe: StripeStandIn, refunds: StripeRefunds) -> None:
    stripe.troubles.append(500)
    for _ in range(2):
        with pytest.raises(KeyUsedError):
            refunds.create(PAID, "key")
    assert refunds.create(PAID, "another") == MADE


def test_a_failure_after_the_refund_was_made_returns_the_refund(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    stripe.troubles.append(500)
    stripe.takes_in_trouble = True
    assert refunds.create(PAID, "key") == MADE
    assert len(stripe.refunds) == 1


def test_the_key_is_not_spent_while_stripe_is_unavailable(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    stripe.troubles.append(500)
    stripe.is_listing_away = True
    with pytest.raises(UpstreamError) as raised:
        refunds.create(PAID, "key")
    assert type(raised.value) is UpstreamError


def test_a_key_that_an_earlier_release_used_returns_its_refund(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    refunds.create(replace(PAID, session_id="cs_of_before"), "key")
    assert refunds.create(PAID, "key") == MADE
    assert len(stripe.refunds) == 1


def test_a_key_used_with_other_fields_without_a_refund_is_spent(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    refunds.create(replace(PAID, payment="pi_2"), "key")
    with pytest.raises(KeyUsedError, match="idempotent"):
        refunds.create(PAID, "key")


@pytest.mark.parametrize(
    ("existing", "found"),
    [
        ([], None),
        ([by_hand()], "re_hand"),
        ([by_hand(amount=100)], None),
        ([by_hand(amount=100), by_hand(amount=800, refund_id="re_rest")], "re_rest"),
        ([by_hand("failed")], None),
        ([by_hand("failed"), by_hand("pending", refund_id="re_again")], "re_again"),
    ],
)
def test_the_refund_of_a_payment_returns_all_of_it(
    stripe: StripeStandIn, refunds: StripeRefunds, existing: list[dict[str, object]], found: str | None
) -> None:
    stripe.refunds += existing
    refund = refunds.find(PAID)
    assert (None if refund is None else refund.id) == found


def test_a_partial_refund_of_an_unknown_amount_does_not_count(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    stripe.refunds.append(by_hand(amount=100))
    assert refunds.find(replace(PAID, amount=None)) is None


def test_an_unknown_amount_is_refunded_when_stripe_says_so(
    stripe: StripeStandIn, refunds: StripeRefunds
) -> None:
    stripe.refunds.append(by_hand())
    assert refunds.create(replace(PAID, amount=None), "key").id == "re_hand"


def test_a_known_refund_is_found_after_it_failed(stripe: StripeStandIn, refunds: StripeRefunds) -> None:
    stripe.refunds.append(by_hand("failed") | {"failure_reason": "expired_or_canceled_card"})
    known = replace(PAID, refund=Refund("re_hand", RefundState.PENDING))
    assert refunds.find(known) == Refund("re_hand", RefundState.FAILED, 900, "expired_or_canceled_card")


def test_a_refund_whose_answer_is_lost_is_made_once(stripe: StripeStandIn, refunds: StripeRefunds) -> None:
    stripe.troubles.append(None)
    stripe.takes_in_trouble = True
    with pytest.raises(MalformedResponseError):
        refunds.create(PAID, "key")
    assert refunds.create(PAID, "key") == MADE
    assert len(stripe.refunds) == 1
