from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from actors import QUEUES
from actors.jobs import START
from actors.reconcile import reconcile
from domain.errors import UnreachableError
from domain.job import JobRecord, JobState, Profile
from domain.money import Prices, Refund, RefundState
from tests.ingress.site import STRIPE_SECRET, Site, Stage, fields_of
from tests.ingress.site import site as on
from tests.standins.stripe import charge_refunded, event, posted, refund_event
from tests.store.rivals import together
from tests.support.harness import Harness

PAID_LATER, NOT_PAID = "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"


def post(
    site: Site, payload: dict[str, Any], at: float | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body, signed = posted(STRIPE_SECRET, payload, at)
    return site.client.post("/webhooks/stripe", content=body, headers=signed | (headers or {}))


def jobs(site: Site) -> list[JobRecord]:
    return site.rollcall.services.store.jobs.page(None, 100)[0]


def test_a_paid_session_causes_a_job_and_its_message(site: Site) -> None:
    answer = post(site, event())

    assert (answer.status_code, answer.json()) == (200, {"recorded": True})
    (job,) = jobs(site)
    assert (job.kind, job.profile, job.state) == ("report", Profile.REALTIME, JobState.QUEUED)
    assert job.input == {
        "email": "ada@example.edu",
        "source": "scraper",
        "term": "2261",
        "sections": ["12430", "12431"],
        "payment": "cs_test_1",
    }
    (message,) = site.rollcall.messages
    assert (message.actor_name, message.args) == (START[Profile.REALTIME].name, (job.id,))


def test_the_same_event_three_times_at_once_causes_one_job(site: Site) -> None:
    answers = together(*[lambda: post(site, event())] * 3)

    assert sorted((answer.status_code, answer.json()["recorded"]) for answer in answers) == [
        (200, False),
        (200, False),
        (200, True),
    ]
    assert (len(jobs(site)), len(site.rollcall.messages), site.count("payment_events")) == (1, 1, 1)


def test_an_unpaid_session_waits_for_its_paid_event(site: Site) -> None:
    post(site, event("evt_1", payment_status="unpaid"))
    assert jobs(site) == []

    post(site, event("evt_2", PAID_LATER))
    assert [job.kind for job in jobs(site)] == ["report"]


def test_a_session_that_is_notified_of_twice_causes_one_job(site: Site) -> None:
    for payload in (event("evt_1"), event("evt_2", PAID_LATER)):
        assert post(site, payload).json() == {"recorded": True}
    assert (len(jobs(site)), site.count("payment_events")) == (1, 2)


@pytest.mark.parametrize(
    "payload",
    [
        event(kind="invoice.paid"),
        event(kind="checkout.session.expired"),
        event(kind=NOT_PAID, payment_status="unpaid"),
        event(metadata={}),
        event(metadata={"order": "a mug"}),
        event(metadata={"report": "monthly"}),
        event(metadata={"report": ""}),
        event(metadata={"report": "seat_map", "term": "2261", "sections": "1"}),
        event(metadata={"report": "monthly"}, customer_details=None, mode="subscription"),
        refund_event(),
        refund_event("refund.failed", payment_intent=None),
        charge_refunded(payment_intent="pi_of_another_product"),
    ],
)
def test_what_asks_for_nothing_is_recorded_and_left(site: Site, payload: dict[str, Any]) -> None:
    assert post(site, payload).json() == {"recorded": True}
    assert (jobs(site), site.count("payment_events"), site.count("payments")) == ([], 1, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metadata": {"report": "section_history", "sections": "1"}}, "term"),
        ({"metadata": {"report": "section_history", "term": "2261"}}, "sections"),
        ({"metadata": {"report": "section_history", "term": "2261", "sections": "'ab"}}, "sections"),
        (
            {
                "metadata": {
                    "report": "section_history",
                    "term": "2261",
                    "sections": ",".join(map(str, range(21))),
                }
            },
            "sections",
        ),
        (
            {"metadata": {"report": "section_history", "term": "1", "sections": "1", "source": "moon"}},
            "source",
        ),
        ({"customer_details": None}, "email"),
    ],
)
def test_an_order_that_cannot_be_delivered_is_reported_and_its_money_goes_back(
    site: Site, changes: dict[str, Any], field: str
) -> None:
    assert post(site, event(**changes)).status_code == 200

    (job,) = jobs(site)
    assert job.kind == "refund"
    assert job.input["payment"] == "cs_test_1"
    (payment,) = site.rollcall.services.store.payments.failed_since(site.rollcall.clock.now())
    assert f"{field}: " in str(payment.failure_reason)


def priced(stage: Stage, rollcall: Harness) -> AbstractContextManager[Site]:
    prices = Prices({"usd": frozenset({900, 450}), "eur": frozenset({850})})
    return on(stage, rollcall, services=replace(rollcall.services, prices=prices))


@pytest.mark.parametrize(
    "paid",
    [
        {"amount_total": 900, "currency": "usd"},
        {"amount_total": 450, "currency": "usd"},
        {"amount_total": 850, "currency": "EUR"},
    ],
)
def test_an_order_at_a_listed_price_is_delivered(
    stage: Stage, rollcall: Harness, paid: dict[str, Any]
) -> None:
    with priced(stage, rollcall) as site:
        post(site, event(**paid))
    (job,) = jobs(site)
    assert job.kind == "report"
    found = site.rollcall.services.store.payments.get("cs_test_1")
    assert found is not None
    assert (found.amount, found.currency) == (paid["amount_total"], paid["currency"])


@pytest.mark.parametrize(
    "paid",
    [
        {"amount_total": 1, "currency": "usd"},
        {"amount_total": 901, "currency": "usd"},
        {"amount_total": 900, "currency": "eur"},
        {"amount_total": 900, "currency": "jpy"},
        {"amount_total": 0, "currency": "usd", "payment_status": "no_payment_required"},
        {"amount_total": None, "currency": "usd"},
        {"amount_total": 900, "currency": None},
    ],
)
def test_an_order_at_another_price_is_reported_and_its_money_goes_back(
    stage: Stage, rollcall: Harness, paid: dict[str, Any]
) -> None:
    with priced(stage, rollcall) as site:
        assert post(site, event(**paid)).status_code == 200
    (job,) = jobs(site)
    assert job.kind == "refund"
    (payment,) = site.rollcall.services.store.payments.failed_since(site.rollcall.clock.now())
    assert "REPORT_PRICES is eur:850, usd:450, usd:900" in str(payment.failure_reason)


def refund(site: Site) -> Refund | None:
    found = site.rollcall.services.store.payments.get("cs_test_1")
    assert found is not None
    return found.refund


def test_a_refund_is_followed_by_its_events(site: Site) -> None:
    post(site, event())
    post(site, refund_event("refund.created", "evt_2", status="pending"))
    assert refund(site) == Refund("re_1", RefundState.PENDING)
    post(site, refund_event("refund.updated", "evt_3", status="succeeded"))
    assert refund(site) == Refund("re_1", RefundState.SUCCEEDED)
    failed = refund_event("refund.failed", "evt_4", status="failed", failure_reason="declined")
    assert [post(site, failed).json()["recorded"] for _ in range(2)] == [True, False]
    assert refund(site) == Refund("re_1", RefundState.FAILED, reason="declined")
    assert [job.kind for job in jobs(site)] == ["report"]


def test_a_charge_that_was_refunded_is_asked_about(site: Site) -> None:
    post(site, event())
    post(site, charge_refunded())
    now = site.rollcall.clock.now()
    (due,) = site.rollcall.services.store.refunds.claim_due(now, 10)
    assert due.session_id == "cs_test_1"


def test_sections_may_be_parted_in_any_way_and_named_twice(site: Site) -> None:
    post(site, event(metadata={"report": "section_history", "term": "2261", "sections": " 1,2; 3\n1 "}))
    (job,) = jobs(site)
    assert job.input["sections"] == ["1", "2", "3", "1"]


def test_an_order_is_taken_while_the_broker_is_unavailable_and_its_message_comes_later(
    stage: Stage, rollcall: Harness
) -> None:
    def away(_: object) -> None:
        raise UnreachableError("no broker")

    with on(stage, rollcall, services=replace(rollcall.services, publish=away)) as site:
        assert post(site, event()).status_code == 200
    (job,) = jobs(site)
    rollcall.clock.advance(10)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 0))

    assert [message.args for message in rollcall.messages] == [(job.id,)]


@pytest.mark.parametrize(
    "headers",
    [{"Stripe-Signature": ""}, {"Stripe-Signature": "t=1,v1=00"}, {"Stripe-Signature": "v1=00"}],
)
def test_a_forged_event_is_refused(site: Site, headers: dict[str, str]) -> None:
    answer = post(site, event(), headers=headers)
    assert (answer.status_code, fields_of(answer)) == (400, set())
    assert site.count("payment_events") == 0


def test_an_old_event_is_refused(site: Site) -> None:
    assert post(site, event(), time.time() - 301).status_code == 400


def test_a_large_event_is_refused(site: Site) -> None:
    assert post(site, event(metadata={"report": "x" * 300_000})).status_code == 413


def test_without_a_secret_the_surface_says_so(stage: Stage, rollcall: Harness) -> None:
    with on(stage, rollcall, payment_events=None) as site:
        answer = post(site, event())
    assert answer.status_code == 404
    assert "STRIPE_WEBHOOK_SECRET is not set" in answer.json()["detail"]
