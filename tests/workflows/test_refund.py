from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from domain.errors import UpstreamError
from domain.job import JobState, NewJob, Profile
from domain.money import Refund, RefundState
from providers.stripe import KeyUsedError, StripeRefunds
from tests.standins.stripe import StripeStandIn
from tests.workflows.opening import a_shop
from tests.workflows.shop import Shop
from workflows.refund import poll_refunds


@pytest.fixture
def shop(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Shop]:
    with a_shop(tmp_path, redis_client, prefix) as found:
        yield found


@pytest.fixture
def stripe(shop: Shop) -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        shop.provider = StripeRefunds(running.secret_key, running.url)
        yield running


def refund(shop: Shop) -> Refund | None:
    return shop.payment().refund


def test_a_refund_that_is_pending_is_not_done_and_is_followed_by_asking(
    shop: Shop, stripe: StripeStandIn
) -> None:
    stripe.refund_status = "pending"
    shop.carry_out(shop.order(sections=["99999"]))
    assert refund(shop) == Refund("re_pi_1", RefundState.PENDING)
    assert shop.payment().refunded_at is None

    stripe.refunds[0]["status"] = "succeeded"
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.PENDING)
    shop.store.clock.advance(3600)
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)
    assert shop.payment().refunded_at == shop.store.clock.now()


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_a_refund_that_fails_later_is_found_out_by_asking(
    shop: Shop, stripe: StripeStandIn, status: str
) -> None:
    stripe.refund_status = status
    shop.carry_out(shop.order(sections=["99999"]))
    stripe.refunds[0] |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    shop.store.clock.advance(86_400)
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.FAILED, reason="expired_or_canceled_card")
    assert [each.session_id for each in shop.refunds.unresolved(shop.store.clock.now())] == ["cs_1"]


def test_another_refund_by_hand_records_one_that_failed(shop: Shop, stripe: StripeStandIn) -> None:
    shop.carry_out(shop.order(sections=["99999"]))
    stripe.refunds[0]["status"] = "failed"
    stripe.refunds.append(stripe.refunds[0] | {"id": "re_by_hand", "status": "succeeded", "metadata": {}})
    shop.store.clock.advance(86_400)
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_by_hand", RefundState.SUCCEEDED)
    assert shop.refunds.unresolved(shop.store.clock.now()) == []


def test_while_stripe_is_unavailable_a_refund_stays_as_it_is_and_is_asked_about_again(
    shop: Shop, stripe: StripeStandIn
) -> None:
    stripe.refund_status = "pending"
    shop.carry_out(shop.order(sections=["99999"]))
    stripe.refunds[0]["status"], stripe.is_listing_away = "succeeded", True
    shop.store.clock.advance(3600)
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.PENDING)
    stripe.is_listing_away = False
    shop.store.clock.advance(3600)
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)


def test_a_refund_that_fails_at_once_ends_the_job_so_and_stays_visible(
    shop: Shop, stripe: StripeStandIn
) -> None:
    stripe.refund_status = "failed"
    job = shop.carry_out(shop.order(sections=["99999"]))
    assert job.state is JobState.FAILED
    assert "could not be compensated: the refund re_pi_1 is failed" in str(job.error)
    assert [each.session_id for each in shop.refunds.unresolved(shop.store.clock.now())] == ["cs_1"]


def test_after_a_refund_that_failed_a_retried_job_makes_another(shop: Shop, stripe: StripeStandIn) -> None:
    stripe.refund_status = "failed"
    first = shop.carry_out(shop.order(sections=["99999"]))
    stripe.refund_status = "succeeded"
    retry = NewJob("report", Profile.REALTIME, first.input, retry_of=first.id)
    again, _ = shop.jobs.add(retry, shop.store.clock.now())
    shop.carry_out(again)
    assert refund(shop) == Refund("re_pi_1_1", RefundState.SUCCEEDED)


def test_a_stored_failure_costs_one_attempt_and_not_all_of_them(shop: Shop, stripe: StripeStandIn) -> None:
    stripe.troubles.append(500)
    job = shop.carry_out(shop.order(sections=["99999"]))
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)
    assert [step.attempts for step in job.steps if step.name == "refund"] == [2]
    assert stripe.keys == [f"refund-cs_1-{job.id}", f"refund-cs_1-{job.id}-1"]
    assert len(stripe.refunds) == 1


def test_a_stored_failure_under_which_the_refund_was_made_makes_no_second_one(
    shop: Shop, stripe: StripeStandIn
) -> None:
    stripe.troubles.append(500)
    stripe.takes_in_trouble = True
    shop.carry_out(shop.order(sections=["99999"]))
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)
    assert (len(stripe.keys), len(stripe.refunds)) == (1, 1)


def test_while_stripe_cannot_be_asked_what_exists_the_key_stays(shop: Shop, stripe: StripeStandIn) -> None:
    stripe.troubles.append(500)
    stripe.is_listing_away = True

    def come_back() -> None:
        stripe.is_listing_away = len(stripe.keys) < 3

    job, engine = shop.order(sections=["99999"]), shop.engine
    engine.on_pause = come_back
    engine.start(job)
    engine.work()
    assert len(set(stripe.keys[:3])) == 1
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)


def test_a_lost_answer_keeps_its_key(shop: Shop, stripe: StripeStandIn) -> None:
    stripe.troubles += [None, None]
    shop.carry_out(shop.order(sections=["99999"]))
    assert (len(stripe.keys), len(set(stripe.keys)), len(stripe.refunds)) == (3, 1, 1)


def test_a_key_that_is_spent_stays_so_after_a_crash(shop: Shop) -> None:
    shop.bank.troubles.append(KeyUsedError("500"))
    job = shop.carry_out(shop.order(sections=["99999"]))
    assert shop.payment().keys_used == 1
    assert list(shop.bank.refunds) == [f"refund-cs_1-{job.id}-1"]


def test_without_a_key_no_one_is_asked(shop: Shop) -> None:
    shop.may_refund = False
    poll_refunds(shop.services)
    assert shop.bank.calls == 0


def test_a_breaker_that_is_open_only_delays_the_asking(shop: Shop) -> None:
    shop.bank.state = RefundState.PENDING
    shop.carry_out(shop.order(sections=["99999"]))
    shop.breakers["stripe"].force_open("ada")
    shop.bank.found = Refund("re_pi_1", RefundState.SUCCEEDED)
    shop.store.clock.advance(timedelta(hours=1).total_seconds())
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.PENDING)
    shop.breakers["stripe"].reset("ada")
    shop.store.clock.advance(timedelta(hours=1).total_seconds())
    shop.bank.troubles.append(UpstreamError("503"))
    poll_refunds(shop.services)
    shop.store.clock.advance(timedelta(hours=1).total_seconds())
    poll_refunds(shop.services)
    assert refund(shop) == Refund("re_pi_1", RefundState.SUCCEEDED)
