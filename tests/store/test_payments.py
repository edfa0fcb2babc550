from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.job import JobState, NewJob, Profile
from domain.money import Checkout, Payment, PaymentDecision, PaymentEvent
from store.database import Database
from store.jobs.execution import JobExecution
from store.jobs.jobs import Jobs
from store.notifications.deliveries import Deliveries
from store.payments import Payments
from tests.store.rivals import together
from tests.support.clock import FakeClock

CHECKOUT = Checkout("cs_1", is_paid=True, payment="pi_1", email="ada@example.edu")
EVENT = PaymentEvent("evt_1", "checkout.session.completed", CHECKOUT)
JOB = NewJob("report", Profile.REALTIME, {"sections": ["1"]})
NOW = FakeClock().now()


def test_an_event_is_recorded_once_with_its_job(database: Database) -> None:
    payments = Payments(database)
    is_new, job_id = payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)
    assert (is_new, payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)) == (True, (False, None))
    assert job_id is not None
    assert payments.get("cs_1") == Payment("cs_1", "pi_1", job_id)
    assert [job.id for job in Jobs(database).page(None, 10)[0]] == [job_id]


def test_the_same_event_at_the_same_time_makes_one_job(database: Database) -> None:
    payments = Payments(database)
    found = together(*[lambda: payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)] * 3)
    assert sorted(is_new for is_new, _ in found) == [False, False, True]
    assert len(Jobs(database).page(None, 10)[0]) == 1


def test_two_events_of_one_session_make_one_job(database: Database) -> None:
    payments = Payments(database)
    first = payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)
    second = payments.record(replace(EVENT, id="evt_2"), PaymentDecision.TAKEN, NOW, job=JOB)
    assert (first[0], second) == (True, (True, None))
    assert len(Jobs(database).page(None, 10)[0]) == 1


def test_an_event_without_a_job_is_recorded_and_no_payment(database: Database) -> None:
    payments = Payments(database)
    assert payments.record(EVENT, PaymentDecision.WAITS, NOW) == (True, None)
    assert payments.record(EVENT, PaymentDecision.WAITS, NOW) == (False, None)
    assert payments.get("cs_1") is None


def test_the_first_failure_stays(database: Database) -> None:
    payments, later = Payments(database), NOW + timedelta(hours=1)
    payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)
    for reason, moment in (("no history", NOW), ("another", later)):
        payments.record_failure("cs_1", reason, moment)
    found = payments.get("cs_1")
    assert found is not None
    assert found.failure_reason == "no history"


def test_failures_are_reported_for_a_time(database: Database) -> None:
    payments = Payments(database)
    payments.record(EVENT, PaymentDecision.REFUSED, NOW, job=JOB, failure_reason="no such term")
    assert [each.failure_reason for each in payments.failed_since(NOW)] == ["no such term"]
    assert payments.failed_since(NOW + timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    ("kind", "reason", "why"),
    [
        ("bounced", "no such user", "bounced: no such user"),
        ("soft_bounced", "", "soft_bounced"),
        ("failed", "quota", "failed: quota"),
        ("suppressed", "", "suppressed"),
        ("delivered", "", None),
        ("complained", "", None),
    ],
)
def test_a_message_that_is_lost_failures_the_order_of_the_job_that_sent_it_for_a_time(
    database: Database, kind: str, reason: str, why: str | None
) -> None:
    payments, runs, deliveries = Payments(database), JobExecution(database), Deliveries(database)
    payments.record(EVENT, PaymentDecision.TAKEN, NOW, job=JOB)
    retried, _ = Jobs(database).add(replace(JOB, input={"payment": "cs_1"}), NOW)
    hold = runs.begin(retried.id, "here", NOW)
    assert hold is not None
    runs.end(hold, JobState.SUCCEEDED, NOW, result={"mail_id": "letter-1"})
    for event_id, message in (("msg_1", "letter-1"), ("msg_2", "letter-1"), ("msg_3", "letter-2")):
        deliveries.record(event_id, kind, provider_id=message, address=None, reason=reason, now=NOW)

    failure_reason = f"The mail with the report that cs_1 paid for did not arrive ({why})."
    found = [(each.session_id, each.job_id, each.failure_reason) for each in payments.failed_since(NOW)]
    assert found == ([] if why is None else [("cs_1", retried.id, failure_reason)])
    assert payments.failed_since(NOW + timedelta(seconds=1)) == []
