"""Every operator action, executed for real, writes one audit entry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from domain.catalog_poll import GuardState
from domain.errors import RejectedError
from domain.job import NewJob, Profile
from domain.money import Checkout, PaymentDecision, PaymentEvent, Refund, RefundState
from operations import jobs
from operations.inputs import decode
from operations.operation import Operation
from operations.registry import OPERATIONS
from store.catalogs.polls import PollResult
from store.course_watches import CourseWatchRequest
from tests.actors.polling import polling
from tests.operations.journal import do, entries
from tests.operations.test_mail import EVE, lose_letters, suppress
from tests.support.broker import add_dead_letter, message
from tests.support.catalog import Row
from tests.support.harness import Harness, sqlite_url

SECTION = {"source": "scraper", "term": "2261", "section": "12430"}
COURSE = {"email": "ada@example.edu", "source": "elm", "term": "2026/FA", "course": "CSE 310"}
HELD = {"source": "elm", "term": "2026/FA"}
Case = tuple[Callable[[Harness], Mapping[str, str] | None], dict[str, Any]]


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    """A harness with a scraper and a polled catalog."""
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm") as found:
        yield found.rollcall


def _nothing(_: Harness) -> None:
    """Prepare nothing."""


def _watch(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)


def _paused_watch(rollcall: Harness) -> None:
    stored = rollcall.watch()
    rollcall.services.store.watches.pause(stored.id, rollcall.clock.now().replace(year=2027))


def _paused(rollcall: Harness) -> None:
    rollcall.watch()
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("mail", now.replace(year=2027), "a flood", "ada", now)


def _course_watch(rollcall: Harness) -> None:
    wanted = CourseWatchRequest("ada@example.edu", "elm", "2026/FA", "CSE 310")
    rollcall.services.store.course_watches.add(wanted, rollcall.clock.now())


def _held(rollcall: Harness) -> None:
    polls, now = rollcall.services.store.polls, rollcall.clock.now()
    result = PollResult(now, guard=GuardState.HELD, guard_reason="60 openings at once")
    polls.finish(polls.begin(("elm", "2026/FA"), 1, now), result, now)


def _leased(rollcall: Harness) -> None:
    rollcall.services.cron_lease.acquire("run 1", {"host": "a"})


def _dead_mail(rollcall: Harness) -> None:
    lose_letters(rollcall, RejectedError("no such domain"))


def _job(rollcall: Harness) -> dict[str, str]:
    given = {"journal": os.devnull, "fails": "make", "how": "for-good"}
    return {"job_id": do(rollcall, jobs.START, kind="errand", input=given).value[0].id}


def _failed_job(rollcall: Harness) -> dict[str, str]:
    job = _job(rollcall)
    rollcall.process_messages()
    return job


def _parked_job(rollcall: Harness) -> dict[str, str]:
    given = {"journal": os.devnull}
    job = do(rollcall, jobs.START, kind="question", input=given).value[0]
    rollcall.process_messages()
    return {"job_id": job.id}


def _lost_refund(rollcall: Harness) -> None:
    store, now = rollcall.services.store, rollcall.clock.now()
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
    "watch.add-link": (_nothing, {"email": "ada@example.edu", "link": "10001", "source": "elm", "term": "1"}),
    "watch.import": (
        _nothing,
        {"csv": "email,source,term,section\nada@example.edu,scraper,2261,1\nbob@example.edu,elm,2,2"},
    ),
    "watch.export": (_watch, {}),
    "watch.pause": (_watch, {"watch_id": 1}),
    "watch.resume": (_paused_watch, {"watch_id": 1}),
    "watch.end": (_watch, {"watch_id": 1}),
    "watches.pause": (_watch, {}),
    "watches.resume": (_paused_watch, {}),
    "watches.end": (_watch, {}),
    "term.end": (_watch, {"source": "scraper", "term": "2261", "force": True}),
    "course-watch.add": (_nothing, COURSE),
    "course-watch.end": (_course_watch, {"course_watch_id": 1}),
    "term.use": (_nothing, {"source": "elm", "term": "2026/FA"}),
    "catalog.drill": (_nothing, {"source": "elm"}),
    "catalog.release": (_held, HELD),
    "catalog.discard": (_held, HELD),
    "mail.test": (_nothing, {"to": "ada@example.edu"}),
    "mail.retry": (_dead_mail, {}),
    "mail.lift": (lambda rollcall: suppress(rollcall, EVE), {"email": EVE}),
    "dead.retry": (_nothing, {}),
    "dead.purge": (_nothing, {}),
    "job.start": (_nothing, {"kind": "errand", "input": {"journal": os.devnull}}),
    "job.cancel": (_job, {}),
    "job.confirm": (_parked_job, {}),
    "job.reject": (_parked_job, {}),
    "job.retry": (_failed_job, {}),
    "credit.grant": (_nothing, {"account": "ada", "credits": 5}),
    "payment.resolve": (_lost_refund, {"session_id": "cs_1", "reason": "by bank transfer"}),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_planned_without_a_trace_and_executed_with_one_audit_entry(
    rollcall: Harness, redis_client: redis.Redis, prefix: str, operation: Operation[Any, Any]
) -> None:
    prepare, fields = CASES[operation.name]
    add_dead_letter(redis_client, prefix, message())
    fields = {**fields, **(prepare(rollcall) or {})}
    before = len(entries(rollcall))

    given = decode(operation.input, fields, operation.choices(rollcall.admin))
    assert operation.plan(rollcall.admin, given).button
    assert len(entries(rollcall)) == before

    outcome = do(rollcall, operation, "eve", **fields)

    (entry,) = entries(rollcall)[before:]
    assert (entry.by, entry.action) == ("eve", operation.action or operation.name)
    assert entry.subject
    assert outcome.message.endswith(".")
