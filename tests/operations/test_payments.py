from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from domain.job import NewJob, Profile
from domain.money import Checkout, PaymentDecision, PaymentEvent, Refund, RefundState
from operations import payments
from tests.operations.journal import do, entries, recorded
from tests.support.harness import Harness

CHECKOUT = Checkout("cs_1", is_paid=True, payment="pi_1", amount=900, currency="usd")


def test_who_recorded_a_failed_refund_is_recorded_with_how(rollcall: Harness) -> None:
    store, now = rollcall.services.store, rollcall.clock.now()
    job = NewJob("report", Profile.REALTIME, {})
    event = PaymentEvent("evt_1", "checkout.session.completed", CHECKOUT)
    store.payments.record(event, PaymentDecision.TAKEN, now, job=job)
    store.refunds.record("cs_1", Refund("re_1", RefundState.FAILED), now)

    do(rollcall, payments.RESOLVE, "eve", session_id="cs_1", reason="paid by bank transfer")

    assert store.refunds.unresolved(now) == []
    assert recorded(rollcall) == [("eve", "payment.resolve", "payment/cs_1", 1)]
    assert entries(rollcall)[0].detail == {"reason": "paid by bank transfer"}


def test_a_payment_that_is_not_known_is_named(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError) as refused:
        do(rollcall, payments.RESOLVE, session_id="cs_1", reason="by hand")
    assert set(refused.value.problems) == {"session_id"}
    assert recorded(rollcall) == []
