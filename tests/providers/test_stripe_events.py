from __future__ import annotations

import time
from typing import Any

import pytest

from domain.errors import InvalidInputError, UnauthorisedError
from domain.money import Checkout, PaymentEvent, Refund, RefundState
from providers.stripe_events import StripeEvents
from tests.standins.stripe import charge_refunded, event, posted, refund_event, signed

SECRET = "whsec_test"
EVENTS = StripeEvents(SECRET)


def read(payload: dict[str, Any]) -> PaymentEvent:
    body, headers = posted(SECRET, payload)
    return EVENTS.read(body, headers["Stripe-Signature"])


def test_a_paid_session_has_the_fields_of_a_report() -> None:
    assert read(event("evt_7")) == PaymentEvent(
        "evt_7",
        "checkout.session.completed",
        Checkout(
            "cs_test_1",
            is_paid=True,
            payment="pi_cs_test_1",
            email="ada@example.edu",
            metadata={"report": "section_history", "term": "2261", "sections": "12430, 12431"},
            amount=900,
            currency="usd",
        ),
    )


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)
def test_an_event_about_a_refund_has_its_payment_and_state(kind: str) -> None:
    payload = refund_event(kind, status="failed", failure_reason="lost_or_stolen_card")
    assert read(payload) == PaymentEvent(
        "evt_r",
        kind,
        refunded="pi_cs_test_1",
        refund=Refund("re_1", RefundState.FAILED, 900, "lost_or_stolen_card"),
    )


def test_our_refunds_are_recognised_by_their_metadata() -> None:
    found = read(refund_event(metadata={"rollcall_session": "cs_1"})).refund
    assert found is not None
    assert found.is_ours


def test_a_refunded_charge_has_only_its_payment() -> None:
    assert read(charge_refunded()) == PaymentEvent("evt_c", "charge.refunded", refunded="pi_cs_test_1")


@pytest.mark.parametrize(
    ("status", "is_paid"), [("paid", True), ("no_payment_required", True), ("unpaid", False)]
)
def test_a_session_is_paid_when_stripe_says_so(status: str, *, is_paid: bool) -> None:
    found = read(event(payment_status=status)).checkout
    assert found is not None
    assert found.is_paid is is_paid


def test_optional_fields_of_a_session_may_be_missing() -> None:
    found = read(event(customer_details=None, metadata=None, payment_intent=None)).checkout
    assert found == Checkout("cs_test_1", is_paid=True, amount=900, currency="usd")


def test_an_event_about_something_else_has_no_checkout() -> None:
    assert read(event(kind="invoice.paid")).checkout is None


@pytest.mark.parametrize("age_seconds", [299, 0])
def test_a_recent_signature_is_accepted(age_seconds: int) -> None:
    body, headers = posted(SECRET, event(), time.time() - age_seconds)
    assert EVENTS.read(body, headers["Stripe-Signature"]).id == "evt_1"


@pytest.mark.parametrize(
    "signature",
    ["", "t=1,v1=", "t=9999999999,v1=é", "nonsense", signed(SECRET, b"other")["Stripe-Signature"]],
)
def test_a_forged_signature_is_refused_without_quoting_the_body(signature: str) -> None:
    with pytest.raises(UnauthorisedError, match=r"^the webhook's signature does not match$") as refused:
        EVENTS.read(posted(SECRET, event())[0], signature)
    assert refused.value.__cause__ is None


def test_an_old_signature_is_refused() -> None:
    body, headers = posted(SECRET, event(), time.time() - 301)
    with pytest.raises(UnauthorisedError):
        EVENTS.read(body, headers["Stripe-Signature"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no json", "body"),
        (b"[]", "body"),
        (b'{"id": "evt_1"}', "type"),
        (b'{"id": "evt_1", "type": "checkout.session.completed"}', "data"),
        (b'{"id": "evt_1", "type": "checkout.session.completed", "data": {"object": 1}}', "data.object"),
        (b'{"type": "invoice.paid"}', "id"),
        (
            b'{"id": "1", "type": "checkout.session.completed", "data": {"object": {"id": "1", "metadata": 1}}}',  # noqa: E501
            "data.object.metadata",
        ),
    ],
)
def test_a_signed_event_of_another_shape_names_the_field(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        EVENTS.read(body, signed(SECRET, body)["Stripe-Signature"])
    assert list(refused.value.problems) == [field]


def test_a_body_that_is_not_text_is_refused() -> None:
    with pytest.raises(UnauthorisedError):
        EVENTS.read(b"\xff", signed(SECRET, b"\xff")["Stripe-Signature"])
