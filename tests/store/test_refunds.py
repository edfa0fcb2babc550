from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.job import NewJob, Profile
from domain.money import Checkout, Payment, PaymentDecision, PaymentEvent, Refund, RefundState
from store.audit import Audit, AuditEntry
from store.database import Database
from store.payments import Payments
from store.refunds import Refunds
from tests.store.rivals import together
from tests.support.clock import FakeClock

CHECKOUT = Checkout("cs_1", is_paid=True, payment="pi_1", amount=900, currency="usd")
JOB = NewJob("report", Profile.REALTIME, {"sections": ["1"]})
NOW = FakeClock().now()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PENDING, ACTION, DONE, FAILED, CANCELED = (
    RefundState.PENDING,
    RefundState.REQUIRES_ACTION,
    RefundState.SUCCEEDED,
    RefundState.FAILED,
    RefundState.CANCELED,
)


@pytest.fixture
def payments(database: Database) -> Payments:
    found = Payments(database)
    found.record(
        PaymentEvent("evt_1", "checkout.session.completed", CHECKOUT), PaymentDecision.TAKEN, NOW, job=JOB
    )
    return found


def payment(payments: Payments) -> Payment:
    found = payments.get("cs_1")
    assert found is not None
    return found


def refund(payments: Payments) -> tuple[str, RefundState] | None:
    found = payment(payments).refund
    return None if found is None else (found.id, found.state)


@pytest.mark.parametrize(
    ("states", "last"),
    [
        ([PENDING, DONE], DONE),
        ([PENDING, ACTION, PENDING], PENDING),
        ([PENDING, FAILED], FAILED),
        ([DONE, FAILED], FAILED),
        ([DONE, PENDING], DONE),
        ([FAILED, PENDING, DONE], FAILED),
        ([CANCELED, DONE], CANCELED),
    ],
)
def test_the_state_of_a_refund_never_goes_back_whatever_order_it_is_reported_in(
    database: Database, payments: Payments, states: Sequence[RefundState], last: RefundState
) -> None:
    for state in states:
        Refunds(database).record("cs_1", Refund("re_1", state), NOW)
    assert refund(payments) == ("re_1", last)


def test_the_order_of_two_senders_does_not_matter(database: Database, payments: Payments) -> None:
    refunds = Refunds(database)
    states = [PENDING, DONE, FAILED, PENDING, DONE]
    together(*[lambda state=state: refunds.record("cs_1", Refund("re_1", state), NOW) for state in states])
    assert refund(payments) == ("re_1", FAILED)


def test_money_is_returned_when_the_refund_has_succeeded(database: Database, payments: Payments) -> None:
    refunds = Refunds(database)
    refunds.record("cs_1", Refund("re_1", PENDING), NOW)
    assert payment(payments).refunded_at is None
    refunds.record("cs_1", Refund("re_1", DONE), NOW + HOUR)
    assert payment(payments).refunded_at == NOW + HOUR
    refunds.record("cs_1", Refund("re_1", FAILED, reason="declined"), NOW + DAY)
    assert payment(payments).refunded_at is None
    assert payment(payments).refund == Refund("re_1", FAILED, reason="declined")


def test_another_refund_takes_the_place_of_one_that_failed_alone(
    database: Database, payments: Payments
) -> None:
    refunds = Refunds(database)
    refunds.record("cs_1", Refund("re_1", PENDING), NOW)
    refunds.record("cs_1", Refund("re_2", DONE), NOW)
    assert refund(payments) == ("re_1", PENDING)
    refunds.record("cs_1", Refund("re_1", FAILED), NOW)
    refunds.record("cs_1", Refund("re_2", DONE), NOW)
    assert refund(payments) == ("re_2", DONE)


@pytest.mark.parametrize(
    ("reported", "found"),
    [
        (Refund("re_1", DONE, 900), ("re_1", DONE)),
        (Refund("re_1", DONE, 100), None),
        (Refund("re_1", DONE, 100, is_ours=True), ("re_1", DONE)),
    ],
)
def test_a_part_that_someone_gave_back_by_hand_is_no_refund_of_the_payment(
    database: Database, payments: Payments, reported: Refund, found: tuple[str, RefundState] | None
) -> None:
    event = PaymentEvent("evt_2", "refund.created", refunded="pi_1", refund=reported)
    assert payments.record(event, PaymentDecision.FOLLOWED, NOW) == (True, None)
    assert refund(payments) == found


@pytest.mark.parametrize(("is_ours", "found"), [(False, None), (True, ("re_1", DONE))])
def test_a_refund_by_hand_counts_as_a_part_of_an_unknown_amount(
    database: Database, is_ours: bool, found: tuple[str, RefundState] | None
) -> None:
    payments = Payments(database)
    unknown = PaymentEvent("evt_1", "checkout.session.completed", replace(CHECKOUT, amount=None))
    payments.record(unknown, PaymentDecision.TAKEN, NOW, job=JOB)
    reported = Refund("re_1", DONE, 100, is_ours=is_ours)
    payments.record(
        PaymentEvent("evt_2", "refund.created", refunded="pi_1", refund=reported),
        PaymentDecision.FOLLOWED,
        NOW,
    )
    assert refund(payments) == found


def test_the_same_event_about_a_refund_changes_nothing_more(database: Database, payments: Payments) -> None:
    event = PaymentEvent("evt_2", "refund.failed", refunded="pi_1", refund=Refund("re_1", FAILED, 900))
    assert payments.record(event, PaymentDecision.FOLLOWED, NOW) == (True, None)
    assert payments.record(event, PaymentDecision.FOLLOWED, NOW) == (False, None)


def test_a_refund_is_asked_about_until_it_can_no_longer_fail(database: Database, payments: Payments) -> None:
    refunds, now = Refunds(database), NOW
    refunds.record("cs_1", Refund("re_1", PENDING), now)
    assert refunds.claim_due(now, 10) == []
    now += HOUR
    assert refunds.claim_due(now, 10) == [payment(payments)]
    assert refunds.claim_due(now, 10) == []
    refunds.record("cs_1", Refund("re_1", DONE), now)
    refunds.schedule_next_query(payment(payments), now)
    asked = []
    for hours in range(24 * 70):
        if due := refunds.claim_due(now + hours * HOUR, 10):
            refunds.schedule_next_query(due[0], now + hours * HOUR)
            asked.append(1 + hours)  # since it was made
    assert asked == [25, 50, 100, 200, 400, 800]


def test_a_refund_that_failed_is_asked_about_until_someone_has_seen_to_it(
    database: Database, payments: Payments
) -> None:
    refunds = Refunds(database)
    refunds.record("cs_1", Refund("re_1", FAILED), NOW)
    for hours in (1, 2):
        (due,) = refunds.claim_due(NOW + hours * HOUR, 10)
        refunds.schedule_next_query(due, NOW + hours * HOUR)
    assert refunds.resolve("cs_1", NOW, AuditEntry(NOW, "ada", "payment.resolve", "payment/cs_1"))
    (due,) = refunds.claim_due(NOW + 3 * HOUR, 10)
    refunds.schedule_next_query(due, NOW + 3 * HOUR)
    assert refunds.claim_due(NOW + DAY, 10) == []


def test_a_refund_that_is_only_named_is_asked_about_at_once(database: Database, payments: Payments) -> None:
    event = PaymentEvent("evt_2", "charge.refunded", refunded="pi_1")
    payments.record(event, PaymentDecision.FOLLOWED, NOW)
    refunds = Refunds(database)
    (due,) = refunds.claim_due(NOW, 10)
    refunds.schedule_next_query(due, NOW)
    assert refunds.claim_due(NOW + DAY, 10) == []


def test_of_two_who_ask_at_the_same_time_one_does(database: Database, payments: Payments) -> None:
    refunds = Refunds(database)
    refunds.record("cs_1", Refund("re_1", PENDING), NOW - HOUR)
    found = together(*[lambda: refunds.claim_due(NOW, 10)] * 3)
    assert sum(map(len, found)) == 1


@pytest.mark.parametrize(
    ("state", "age", "is_unsettled"),
    [(FAILED, HOUR, True), (CANCELED, HOUR, True), (PENDING, 4 * DAY, False), (PENDING, 6 * DAY, True),
     (ACTION, 6 * DAY, True), (DONE, 60 * DAY, False)],
)  # fmt: skip
def test_a_refund_that_failed_or_is_slow_stays_visible_until_someone_has_seen_to_it(
    database: Database, payments: Payments, state: RefundState, age: timedelta, *, is_unsettled: bool
) -> None:
    refunds = Refunds(database)
    refunds.record("cs_1", Refund("re_1", state), NOW - age)
    assert [each.session_id for each in refunds.unresolved(NOW - 5 * DAY)] == ["cs_1"] * is_unsettled
    assert refunds.resolve("cs_1", NOW, AuditEntry(NOW, "ada", "payment.resolve", "payment/cs_1"))
    assert refunds.unresolved(NOW - 5 * DAY) == []
    refunds.record("cs_1", Refund("re_2" if state in {FAILED, CANCELED} else "re_1", FAILED), NOW)
    assert [each.session_id for each in refunds.unresolved(NOW - 5 * DAY)] == ["cs_1"]


def test_who_saw_to_a_refund_is_audited(database: Database, payments: Payments) -> None:
    refunds, entry = Refunds(database), AuditEntry(NOW, "ada", "payment.resolve", "payment/cs_1")
    assert not refunds.resolve("cs_1", NOW, entry)
    refunds.record("cs_1", Refund("re_1", FAILED), NOW)
    assert refunds.resolve("cs_1", NOW, entry)
    assert not refunds.resolve("cs_2", NOW, replace(entry, subject="payment/cs_2"))
    page, _ = Audit(database).page(None, 10)
    assert [each.entry.subject for each in page] == ["payment/cs_1"]
