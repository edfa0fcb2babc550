from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from actors import QUEUES
from actors.jobs import START
from actors.reconcile import reconcile
from domain.errors import UnreachableError
from domain.job import JobRecord, JobState, Profile
from tests.ingress.site import STRIPE_SECRET, Site, Stage, fields_of
from tests.ingress.site import site as on
from tests.standins.stripe import event, posted
from tests.store.rivals import together
from tests.support.house import House

PAID_LATER, NOT_PAID = "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"


def post(
    site: Site, told: dict[str, Any], at: float | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body, signed = posted(STRIPE_SECRET, told, at)
    return site.client.post("/webhooks/stripe", content=body, headers=signed | (headers or {}))


def jobs(site: Site) -> list[JobRecord]:
    return site.house.services.store.jobs.page(None, 100)[0]


def test_a_paid_session_causes_a_job_and_its_message(site: Site) -> None:
    answer = post(site, event())

    assert (answer.status_code, answer.json()) == (200, {"recorded": True})
    (job,) = jobs(site)
    assert (job.kind, job.profile, job.state) == ("report", Profile.REALTIME, JobState.QUEUED)
    assert job.given == {
        "email": "ada@example.edu",
        "source": "scraper",
        "term": "2261",
        "sections": ["12430", "12431"],
        "payment": "cs_test_1",
    }
    (message,) = site.house.mailbox
    assert (message.actor_name, message.args) == (START[Profile.REALTIME].name, (job.id,))


def test_the_same_event_three_times_at_once_causes_one_job(site: Site) -> None:
    answers = together(*[lambda: post(site, event())] * 3)

    assert sorted((answer.status_code, answer.json()["recorded"]) for answer in answers) == [
        (200, False),
        (200, False),
        (200, True),
    ]
    assert (len(jobs(site)), len(site.house.mailbox), site.count("payment_events")) == (1, 1, 1)


def test_an_unpaid_session_waits_for_its_paid_event(site: Site) -> None:
    post(site, event("evt_1", payment_status="unpaid"))
    assert jobs(site) == []

    post(site, event("evt_2", PAID_LATER))
    assert [job.kind for job in jobs(site)] == ["report"]


def test_a_session_that_is_told_of_twice_causes_one_job(site: Site) -> None:
    for told in (event("evt_1"), event("evt_2", PAID_LATER)):
        assert post(site, told).json() == {"recorded": True}
    assert (len(jobs(site)), site.count("payment_events")) == (1, 2)


@pytest.mark.parametrize(
    "told",
    [
        event(kind="invoice.paid"),
        event(kind="checkout.session.expired"),
        event(kind=NOT_PAID, payment_status="unpaid"),
        event(metadata={}),
        event(metadata={"order": "a mug"}),
    ],
)
def test_what_asks_for_nothing_is_recorded_and_left(site: Site, told: dict[str, Any]) -> None:
    assert post(site, told).json() == {"recorded": True}
    assert (jobs(site), site.count("payment_events"), site.count("payments")) == ([], 1, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metadata": {"report": "seat_map", "term": "2261", "sections": "1"}}, "report"),
        ({"metadata": {"report": "section_history", "sections": "1"}}, "term"),
        ({"metadata": {"report": "section_history", "term": "2261"}}, "sections"),
        ({"metadata": {"report": "section_history", "term": "2261", "sections": "a'b"}}, "sections"),
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
def test_an_order_that_cannot_be_delivered_is_told_and_its_money_goes_back(
    site: Site, changes: dict[str, Any], field: str
) -> None:
    assert post(site, event(**changes)).status_code == 200

    (job,) = jobs(site)
    assert job.kind == "refund"
    assert job.given["payment"] == "cs_test_1"
    (trouble,) = site.house.services.store.payments.troubled_since(site.house.clock.now())
    assert f"{field}: " in str(trouble.trouble)


def test_sections_may_be_parted_in_any_way_and_named_twice(site: Site) -> None:
    post(site, event(metadata={"report": "section_history", "term": "2261", "sections": " 1,2; 3\n1 "}))
    (job,) = jobs(site)
    assert job.given["sections"] == ["1", "2", "3", "1"]


def test_an_order_is_taken_while_the_broker_is_away_and_its_message_comes_later(
    stage: Stage, a_house: House
) -> None:
    def away(_: object) -> None:
        raise UnreachableError("no broker")

    with on(stage, a_house, services=replace(a_house.services, publish=away)) as site:
        assert post(site, event()).status_code == 200
    (job,) = jobs(site)
    a_house.clock.advance(10)
    reconcile(a_house.services, dict.fromkeys(QUEUES, 0))

    assert [message.args for message in a_house.mailbox] == [(job.id,)]


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


def test_without_a_secret_the_surface_says_so(stage: Stage, a_house: House) -> None:
    with on(stage, a_house, payment_events=None) as site:
        answer = post(site, event())
    assert answer.status_code == 404
    assert "STRIPE_WEBHOOK_SECRET is not set" in answer.json()["detail"]
