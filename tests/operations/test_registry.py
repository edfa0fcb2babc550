"""Every operator action, executed for real, writes one audit entry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis

from domain.errors import RejectedError
from domain.job import NewJob, Profile
from domain.money import Checkout, PaymentDecision, PaymentEvent, Refund, RefundState
from operations import jobs
from operations.inputs import decode
from operations.operation import Operation
from operations.registry import OPERATIONS
from tests.operations.journal import do, entries
from tests.operations.test_mail import EVE, lose_letters, suppress
from tests.support.catalog import Row
from tests.support.house import House
from tests.support.workbench import bury, message

SECTION = {"source": "scraper", "term": "2261", "section": "12430"}
Case = tuple[Callable[[House], Mapping[str, str] | None], dict[str, Any]]


def _nothing(_: House) -> None:
    """Prepare nothing."""


def _watch(house: House) -> None:
    house.watch()
    house.catalog.rows[house.key()] = Row(1)


def _paused_watch(house: House) -> None:
    stored = house.watch()
    house.services.store.watches.pause(stored.id, house.clock.now().replace(year=2027))


def _paused(house: House) -> None:
    house.watch()
    now = house.clock.now()
    house.services.store.pauses.pause("mail", now.replace(year=2027), "a flood", "ada", now)


def _leased(house: House) -> None:
    house.services.cron_lease.acquire("run 1", {"host": "a"})


def _dead_mail(house: House) -> None:
    lose_letters(house, RejectedError("no such domain"))


def _job(house: House) -> dict[str, str]:
    given = {"journal": os.devnull, "fails": "make", "how": "for-good"}
    return {"job_id": do(house, jobs.START, kind="errand", input=given).value[0].id}


def _failed_job(house: House) -> dict[str, str]:
    job = _job(house)
    house.work()
    return job


def _lost_refund(house: House) -> None:
    store, now = house.services.store, house.clock.now()
    checkout = Checkout("cs_1", is_paid=True, payment="pi_1", amount=900, currency="usd")
    event = PaymentEvent("evt_1", "checkout.session.completed", checkout)
    store.payments.record(event, PaymentDecision.TAKEN, now, job=NewJob("report", Profile.REALTIME, {}))
    store.refunds.record("cs_1", Refund("re_1", RefundState.FAILED), now)


CASES: dict[str, Case] = {
    "run.trigger": (_nothing, {}),
    "lease.release": (_leased, {}),
    "section.check": (_watch, SECTION),
    "breaker.open": (_nothing, {"name": "mail"}),
    "breaker.close": (_nothing, {"name": "mail"}),
    "breaker.reset": (_paused, {"name": "mail"}),
    "source.pause": (_nothing, {"name": "scraper"}),
    "source.resume": (_paused, {"name": "mail"}),
    "watch.add": (_nothing, {"email": "ada@example.edu", "term": "2261", "section": "12430"}),
    "watch.import": (_nothing, {"csv": "email,term,section\nada@example.edu,2261,1\nbob@example.edu,2261,2"}),
    "watch.export": (_watch, {}),
    "watch.pause": (_watch, {"watch_id": 1}),
    "watch.resume": (_paused_watch, {"watch_id": 1}),
    "watch.end": (_watch, {"watch_id": 1}),
    "watches.pause": (_watch, {}),
    "watches.resume": (_paused_watch, {}),
    "watches.end": (_watch, {}),
    "term.end": (_watch, {"source": "scraper", "term": "2261", "force": True}),
    "mail.test": (_nothing, {"to": "ada@example.edu"}),
    "mail.retry": (_dead_mail, {}),
    "mail.lift": (lambda house: suppress(house, EVE), {"email": EVE}),
    "dead.retry": (_nothing, {}),
    "dead.purge": (_nothing, {}),
    "job.start": (_nothing, {"kind": "errand", "input": {"journal": os.devnull}}),
    "job.cancel": (_job, {}),
    "job.retry": (_failed_job, {}),
    "credit.grant": (_nothing, {"account": "ada", "credits": 5}),
    "payment.resolve": (_lost_refund, {"session_id": "cs_1", "reason": "by bank transfer"}),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_planned_without_a_trace_and_executed_with_one_audit_entry(
    rollcall: House, redis_client: redis.Redis, prefix: str, operation: Operation[Any, Any]
) -> None:
    prepare, fields = CASES[operation.name]
    bury(redis_client, prefix, message())
    fields = {**fields, **(prepare(rollcall) or {})}
    before = len(entries(rollcall))

    given = decode(operation.input, fields, operation.choices(rollcall.room))
    assert operation.plan(rollcall.room, given).button
    assert len(entries(rollcall)) == before

    outcome = do(rollcall, operation, "eve", **fields)

    (entry,) = entries(rollcall)[before:]
    assert (entry.by, entry.action) == ("eve", operation.action or operation.name)
    assert entry.subject
    assert outcome.message.endswith(".")
