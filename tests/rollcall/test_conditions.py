from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Symptom
from domain.payment import Payment, PaymentTroubles, Refund, RefundState
from operations.expectations import RunTimes, SourceReading
from operations.unread import Unread
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from rollcall.conditions import conditions
from rollcall.readings import Disk, Readings
from store.outbox import Backlog, Losses
from store.pauses import ROLLCALL, Pause
from store.watches import Audience

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GIB = 1 << 30
CLOSED = BreakerSnapshot(
    name="scraper", state="closed", failures=0, successes=0, retry_after_seconds=0, since=None, forced=None,
    forced_by=None, scope="fleet",
)  # fmt: skip
HEARD = SourceReading(NOW, Audience(41, NOW - 9 * HOUR), None, 30 * MINUTE)
WELL = Readings(
    now=NOW,
    breakers=[CLOSED, replace(CLOSED, name="mail")],
    pauses={},
    queues={"check": QueueReading(3, 0.1, 0), "deliver": QueueReading(0, None, 0)},
    losses=Losses(0, 0),
    runs=RunTimes(NOW - 9 * HOUR, NOW - MINUTE, NOW - 10 * MINUTE, NOW - HOUR),
    outbox=Backlog(3, NOW - 9 * MINUTE, 5),
    sources={"scraper": HEARD},
    disk=Disk(Path("/var/lib/rollcall"), 3 * GIB, 20 * GIB),
    workers=1,
    jobs=1,
)


def holding(**changes: Any) -> dict[str, Symptom]:
    """The conditions that hold where all is well but for `changes`."""
    found = conditions(replace(WELL, **changes))
    return {name: symptom for name, symptom in found.items() if symptom is not None}


def pause(name: str = "scraper", by: str = "ada", minutes: float = 60) -> dict[str, Pause]:
    return {name: Pause(name, NOW + minutes * MINUTE, "it refuses us", by, NOW - HOUR)}


def test_where_all_is_well_every_condition_is_named_and_none_holds() -> None:
    found = conditions(WELL)
    assert set(found.values()) == {None}
    judged = {name.partition("/")[0] for name in found} - {"unreadable", "pauses"}
    assert judged == {"breakers", "queues", "losses", "runs", "outbox", "sources", "disk", "workers", "jobs"}


@pytest.mark.parametrize(
    ("refund", "told"),
    [
        (None, "The payment is not refunded."),
        (Refund("re_1", RefundState.SUCCEEDED), "The payment was refunded."),
        (Refund("re_1", RefundState.PENDING), "The refund re_1 is still pending."),
        (Refund("re_1", RefundState.FAILED, reason="declined"), "The refund re_1 is failed: declined."),
    ],
)
def test_who_paid_and_got_nothing_is_told_of_with_what_became_of_the_money(
    refund: Refund | None, told: str
) -> None:
    payment = Payment("cs_1", "pi_1", "job-1", "No history.", refund)
    found = holding(payments=PaymentTroubles(undelivered=[payment]))

    assert found.keys() == {"payments/cs_1"}
    assert found["payments/cs_1"].detail == f"No history. {told}"
    assert found["payments/cs_1"].command == "rollcall job show job-1"


@pytest.mark.parametrize(
    ("state", "subject"),
    [
        (RefundState.FAILED, "A refund failed"),
        (RefundState.CANCELED, "A refund failed"),
        (RefundState.PENDING, "A refund has not arrived"),
    ],
)
def test_a_refund_that_did_not_arrive_is_told_of_beside_the_order(state: RefundState, subject: str) -> None:
    payment = Payment("cs_1", "pi_1", "job-1", "No history.", Refund("re_1", state))
    found = holding(payments=PaymentTroubles(undelivered=[payment], unsettled=[payment]))

    assert found.keys() == {"payments/cs_1", "payments/refund/cs_1"}
    assert found["payments/refund/cs_1"].subject == subject
    assert "cs_1" in found["payments/refund/cs_1"].detail


@pytest.mark.parametrize("state", ["open", "half_open"])
def test_a_breaker_that_lets_not_everything_through_must_do_so_for_ten_minutes(state: Any) -> None:
    found = holding(breakers=[replace(CLOSED, state=state, failures=10)])
    assert list(found) == ["breakers/scraper"]
    assert found["breakers/scraper"].hold_off == 10 * MINUTE
    assert "41" in found["breakers/scraper"].detail


def test_a_breaker_that_is_held_open_says_by_whom_and_how_to_let_it_go() -> None:
    found = holding(breakers=[replace(CLOSED, name="mail", state="open", forced="open", forced_by="ada")])
    symptom = found["breakers/mail"]
    assert "ada" in symptom.detail
    assert symptom.command == "rollcall breaker reset mail"


@pytest.mark.parametrize(("by", "minutes", "holds"), [
    ("ada", 60, True), ("ada", -1, False), (ROLLCALL, 15, True), (ROLLCALL, -600, True),
])  # fmt: skip
def test_a_pause_is_told_while_it_holds_and_rollcalls_own_until_a_success(
    by: str,
    minutes: float,
    holds: bool,
) -> None:
    assert ("pauses/scraper" in holding(pauses=pause(by=by, minutes=minutes))) is holds


def test_a_pause_tells_its_reason_and_silences_what_follows_from_it() -> None:
    silent = {"scraper": replace(HEARD, silent_since=NOW - 9 * HOUR)}
    found = holding(pauses=pause(), sources=silent, breakers=[replace(CLOSED, state="open")])
    assert list(found) == ["pauses/scraper"]
    assert "it refuses us" in found["pauses/scraper"].detail
    assert list(holding(pauses=pause("mail"), outbox=Backlog(3, NOW - HOUR, 0))) == ["pauses/mail"]


def test_dead_letters_are_counted_by_queue() -> None:
    found = holding(queues={"check": QueueReading(0, None, 3), "deliver": QueueReading(0, None, 1)})
    assert "3 in check, 1 in deliver" in found["queues/dead"].detail


def test_notifications_that_died_lately_tell_how_many_people_miss_them() -> None:
    assert "12 in the last hour. People who miss them: 9" in (
        holding(losses=Losses(12, 9))["losses/notifications"].detail
    )


@pytest.mark.parametrize(("expected_since", "succeeded_at", "holds"), [
    (NOW - 9 * HOUR, NOW - 61 * MINUTE, True),
    (NOW - 9 * HOUR, NOW - 60 * MINUTE, False),
    (NOW - 9 * HOUR, None, True),
    (NOW - 10 * MINUTE, None, False),  # a fresh installation
    (NOW - 10 * MINUTE, NOW - 9 * HOUR, False),
    (None, None, False),  # SCHEDULER=off, and nobody has ever asked over HTTP
    (None, NOW - 9 * HOUR, False),
])  # fmt: skip
def test_no_run_that_succeeded_in_two_intervals_however_many_finished(
    expected_since: datetime | None,
    succeeded_at: datetime | None,
    holds: bool,
) -> None:
    found = holding(runs=RunTimes(expected_since, NOW, succeeded_at, NOW - HOUR))
    assert (list(found) == ["runs/late"]) is holds


@pytest.mark.parametrize(("age", "holds"), [(None, False), (10, False), (10.5, True)])
def test_delivery_is_stuck_when_the_oldest_has_been_due_for_ten_minutes(
    age: float | None,
    holds: bool,
) -> None:
    oldest = None if age is None else NOW - age * MINUTE
    assert ("outbox/stuck" in holding(outbox=Backlog(7, oldest, 0))) is holds


def test_a_silent_source_says_whom_it_leaves_waiting() -> None:
    found = holding(sources={"scraper": replace(HEARD, silent_since=NOW - 3 * HOUR)})
    assert "since 2026-01-15 06:00 UTC. People who watch its sections: 41." in found["sources/scraper"].detail
    assert found["sources/scraper"].hold_off == 30 * MINUTE


@pytest.mark.parametrize(("free", "total", "holds"), [
    (2 * GIB, 20 * GIB, False), (GIB, 20 * GIB, True), (190_000_000, GIB, True), (210_000_000, GIB, False),
])  # fmt: skip
def test_a_disk_is_nearly_full_below_a_tenth_or_200_megabytes(free: int, total: int, holds: bool) -> None:
    assert ("disk/home" in holding(disk=Disk(Path("/var/lib/a home"), free, total))) is holds


def test_no_worker_must_be_missed_for_two_minutes() -> None:
    assert holding(workers=0)["workers/none"].hold_off == 2 * MINUTE


def test_no_jobs_process_must_be_missed_for_two_minutes() -> None:
    assert holding(jobs=0)["jobs/none"].hold_off == 2 * MINUTE


@pytest.mark.parametrize(
    "reading",
    ["breakers", "pauses", "queues", "losses", "runs", "outbox", "sources", "disk", "workers", "jobs"],
)
def test_what_cannot_be_read_is_its_own_condition_and_is_judged_neither_well_nor_ill(reading: str) -> None:
    changes: dict[str, Any] = {reading: Unread("ConnectionError: refused")}
    found = conditions(replace(WELL, **changes))
    symptom = found[f"unreadable/{reading}"]
    assert symptom is not None
    assert (symptom.subject, symptom.hold_off) == (f"Cannot read {reading}", 2 * MINUTE)
    assert "refused" in symptom.detail
    assert not [name for name in found if name.startswith(f"{reading}/")]
