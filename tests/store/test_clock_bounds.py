from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.alert import AlertMessage
from domain.job import JobState, NewJob, Profile
from domain.run import RunState, WaitReason
from domain.section import Stagger
from store.alerts import Alerts
from store.clock_bounds import ClockBounds
from store.database import from_ms
from store.jobs.callbacks import JobCallbacks
from store.jobs.execution import JobExecution
from store.jobs.jobs import Jobs
from store.schema import notifications
from tests.store.harness import LEASE, LIFETIME, StoreHarness, key

DAY = timedelta(days=1)
COOLDOWN = timedelta(minutes=10)


def enforce(store: StoreHarness) -> dict[str, int]:
    bounds = ClockBounds(store.database, cooldown=COOLDOWN)
    return bounds.enforce(store.clock.now(), run_lifetime=LIFETIME)


def set_back(store: StoreHarness) -> datetime:
    """The clock ran a day ahead and is right again."""
    return store.clock.advance(-DAY.total_seconds())


@pytest.fixture
def ahead(store: StoreHarness) -> StoreHarness:
    """A harness whose clock runs a day ahead."""
    store.clock.advance(DAY.total_seconds())
    return store


def test_a_clock_that_only_went_forward_changes_nothing(store: StoreHarness) -> None:
    store.watch()
    store.start([key()])
    store.pauses.pause("scraper", store.clock.now() + DAY, "works", "ada", store.clock.now())
    before = store.dump()
    store.clock.advance(3600)
    assert enforce(store) == {}
    assert store.dump() == before


def test_the_clocks_of_two_hosts_may_differ_by_seconds(store: StoreHarness) -> None:
    store.open()
    store.clock.advance(-30)
    assert enforce(store) == {}


def test_a_run_that_waits_for_its_dispatch_is_lost_or_given_up_in_time(ahead: StoreHarness) -> None:
    run = ahead.open()
    now = set_back(ahead)
    assert ahead.runs.queued(now) == []
    assert enforce(ahead)["runs"] > 0
    assert ahead.runs.queued(now) == [run.id]
    ahead.runs.expire(ahead.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert ahead.reload(run).state is RunState.FAILED


def test_a_run_under_way_ends_within_its_lifetime(ahead: StoreHarness) -> None:
    run, (parked, published) = ahead.start([key("1")], [key("2")])
    ahead.checks.reschedule(parked, ahead.clock.now() + timedelta(minutes=2), WaitReason.BREAKER, "why")
    now = set_back(ahead)
    enforce(ahead)
    assert ahead.runs.claim_lost_batches(now, now) == [published]
    assert {batch.id for batch in ahead.runs.expire(now, LIFETIME)} == {parked}  # left to the next run
    ahead.runs.expire(ahead.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert ahead.reload(run).state is RunState.FINISHED


def test_a_slot_ahead_of_now_is_free_when_it_comes(ahead: StoreHarness) -> None:
    slot = ahead.clock.now()
    ahead.runs.create("schedule", Stagger.EVEN, slot, slot, force=False)
    set_back(ahead)
    enforce(ahead)
    assert ahead.runs.of_slot(Stagger.EVEN, slot) is None


def test_a_success_ahead_of_now_hides_no_run_that_is_late(ahead: StoreHarness) -> None:
    ahead.watch()
    ahead.show(1)
    now = set_back(ahead)
    enforce(ahead)
    assert ahead.runs.last_succeeded_at() == ahead.runs.last_finished_at() == now


def test_a_pause_keeps_its_length(ahead: StoreHarness) -> None:
    began = ahead.clock.now()
    ahead.pauses.pause("scraper", began + timedelta(minutes=15), "401", "rollcall", began)
    now = set_back(ahead)
    enforce(ahead)
    pause = ahead.pauses.all()["scraper"]
    assert (pause.created_at, pause.until) == (now, now + timedelta(minutes=15))


def test_a_notification_waits_no_longer_than_it_may(ahead: StoreHarness) -> None:
    ahead.watch()
    ahead.show(0)
    ahead.clock.advance(60)
    ahead.show(1)
    now = set_back(ahead)
    enforce(ahead)
    with ahead.database.read() as connection:
        (due_at_ms,) = connection.execute(select(notifications.c.due_at_ms)).scalars()
    assert from_ms(due_at_ms) <= now + timedelta(hours=1)


def test_a_mail_batch_in_hand_or_postponed_is_due_within_an_hour(ahead: StoreHarness) -> None:
    ahead.watch()
    ahead.show(0)
    ahead.clock.advance(60)
    ahead.show(1)
    assert ahead.outbox.claim(ahead.clock.now(), limit=10, lease=LEASE) is not None
    set_back(ahead)
    enforce(ahead)
    assert ahead.outbox.is_due(ahead.clock.advance(3600))


def test_an_alert_is_raised_after_its_own_time_and_reported_again_within_an_hour(ahead: StoreHarness) -> None:
    alerts = Alerts(ahead.database, ("mail",))
    open_breaker = AlertMessage("The breaker is open", "", "", timedelta(minutes=10))
    full = AlertMessage("The disk is full", "", "")
    alerts.observe({"breakers/scraper": open_breaker, "disk/home": full}, ahead.clock.now())
    notification = alerts.claim(ahead.clock.now(), lease=LEASE)
    assert notification is not None
    set_back(ahead)
    enforce(ahead)
    alerts.observe({"breakers/scraper": open_breaker}, ahead.clock.advance(600))
    names = {alert.name for alert in alerts.all()}
    assert names == {"breakers/scraper", "disk/home"}
    again = alerts.claim(ahead.clock.advance(3000), lease=LEASE)
    assert again is not None
    assert again.alert == notification.alert


def test_a_job_whose_message_or_cancellation_was_lost_is_found(ahead: StoreHarness) -> None:
    jobs = Jobs(ahead.database)
    job, _ = jobs.add(NewJob("task", Profile.REALTIME, {}), ahead.clock.now())
    jobs.request_cancel(job.id, ahead.clock.now())
    now = set_back(ahead)
    assert jobs.claim_lost(Profile.REALTIME, now, now) == jobs.cancelled_in_queue(now) == []
    enforce(ahead)
    assert jobs.claim_lost(Profile.REALTIME, now, now) == jobs.cancelled_in_queue(now) == [job.id]


def test_a_caller_is_reported_within_an_hour(ahead: StoreHarness) -> None:
    jobs, runs, calls = Jobs(ahead.database), JobExecution(ahead.database), JobCallbacks(ahead.database)
    new = NewJob("task", Profile.REALTIME, {}, webhook_url="https://example.edu")
    job, _ = jobs.add(new, ahead.clock.now())
    hold = runs.begin(job.id, "one", ahead.clock.now())
    assert hold is not None
    runs.end(hold, JobState.SUCCEEDED, ahead.clock.now(), result={}, callback="{}")
    set_back(ahead)
    enforce(ahead)
    assert calls.is_due(ahead.clock.advance(3600))


def test_a_server_says_what_time_it_is_and_a_file_does_not(store: StoreHarness) -> None:
    found = ClockBounds(store.database, cooldown=COOLDOWN).database_now()
    if store.database.is_sqlite:
        assert found is None
    else:
        assert found is not None
        assert abs(found - datetime.now(UTC)) < timedelta(seconds=5)
