from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import text

from actors import QUEUES
from actors.reconcile import reconcile
from actors.services import JobRuntime
from domain.job import Profile
from domain.run import RunState
from domain.section import Stagger
from rollcall.wiring import SystemClock
from scheduling.runner import EVERY_MINUTE, Schedule, run_daily_rollup
from store.database import Database
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.stack import wait_until
from workflows.kinds import KINDS

OFTEN = IntervalTrigger(seconds=0.05, timezone=UTC)
BEFORE = [(Stagger.ODD, "08:30"), (Stagger.EVEN, "09:00")]


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    with harness(sqlite_url(tmp_path), redis_client, prefix) as found:
        yield found


@contextmanager
def looking(rollcall: Harness) -> Iterator[None]:
    """A schedule that looks all the time for what is due by the harness's clock."""
    schedule = Schedule(rollcall.services)
    schedule.check_on_time(OFTEN)
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


def slots(rollcall: Harness) -> list[tuple[Stagger, str]]:
    """The half and the time of each run, in the order of time."""
    runs, _ = rollcall.services.store.runs.page(None, 100)
    return [(run.stagger, f"{run.slot:%H:%M}") for run in sorted(runs, key=lambda run: run.slot)]


@contextmanager
def out_of_order(database: Database) -> Iterator[None]:
    """No run can be read or written meanwhile."""
    _rename(database, "runs", "away")
    try:
        yield
    finally:
        _rename(database, "away", "runs")


def _rename(database: Database, old: str, new: str) -> None:
    with database.write() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_a_slot_that_the_database_could_not_take_is_compensated_at_a_later_look(
    rollcall: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    with looking(rollcall):
        wait_until(lambda: slots(rollcall) == BEFORE, "the latest slots")
        with out_of_order(rollcall.database):
            rollcall.clock.advance(30 * 60)
            wait_until(lambda: "no such table: runs" in caplog.text, "a look in vain")
        wait_until(lambda: slots(rollcall) == [*BEFORE, (Stagger.ODD, "09:30")], "the run that was lost")


def test_after_a_long_sleep_the_latest_slot_of_each_half_is_caught_up_and_no_older_one(
    rollcall: Harness,
) -> None:
    with looking(rollcall):
        wait_until(lambda: slots(rollcall) == BEFORE, "the latest slots")
        rollcall.clock.advance(5 * 3600)
        made_good = [*BEFORE, (Stagger.ODD, "13:30"), (Stagger.EVEN, "14:00")]
        wait_until(lambda: slots(rollcall) == made_good, "the latest slots after the sleep")


def test_another_process_makes_no_slot_good_that_has_its_run(rollcall: Harness) -> None:
    for _ in range(2):
        process = Schedule(rollcall.services)
        for half in (Stagger.EVEN, Stagger.ODD):
            process.check(half)
    assert slots(rollcall) == BEFORE


def test_a_look_at_a_slot_whose_run_has_worked_costs_no_query(rollcall: Harness) -> None:
    schedule = Schedule(rollcall.services)
    schedule.check(Stagger.EVEN)
    rollcall.process_messages()
    schedule.check(Stagger.EVEN)
    rollcall.clock.advance(60)
    with out_of_order(rollcall.database):
        schedule.check(Stagger.EVEN)


def test_it_looks_at_each_full_minute_the_finest_time_of_a_timetable() -> None:
    now = datetime(2026, 1, 15, 9, 0, 1, tzinfo=UTC)
    assert EVERY_MINUTE.get_next_fire_time(None, now) == now + timedelta(seconds=59)


def test_the_history_is_condensed_once_a_day_however_often_a_scheduler_asks(rollcall: Harness) -> None:
    services = replace(rollcall.services, jobs=JobRuntime(KINDS))
    for _ in range(2):
        run_daily_rollup(services)
    (job,) = services.store.jobs.page(None, 10)[0]
    assert (job.kind, job.profile, job.input) == ("condense", Profile.BATCH, {})

    rollcall.clock.advance(86_400)
    run_daily_rollup(services)
    assert len(services.store.jobs.page(None, 10)[0]) == 2


def states(rollcall: Harness) -> list[tuple[str, RunState]]:
    runs, _ = rollcall.services.store.runs.page(None, 100)
    return [(f"{run.slot:%H:%M}", run.state) for run in reversed(runs)]


def look(rollcall: Harness, schedule: Schedule, seconds: float = 60) -> None:
    """Let time pass, with a tick of the reconciler and a look at each half, and lose every message."""
    rollcall.clock.advance(seconds)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 0))
    for half in (Stagger.EVEN, Stagger.ODD):
        schedule.check(half)


def test_a_slot_that_no_worker_took_up_in_time_has_its_run_soon_after_they_return(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    schedule = Schedule(rollcall.services)
    schedule.check(Stagger.EVEN)
    for _ in range(26):
        look(rollcall, schedule)
    assert states(rollcall)[0] == ("09:00", RunState.FAILED)
    rollcall.process_messages()
    assert ("09:00", RunState.FINISHED) in states(rollcall)
    assert len(rollcall.catalog.calls) == 1
    for _ in range(3):
        look(rollcall, schedule)
        rollcall.process_messages()
    assert len(rollcall.catalog.calls) == 1


def test_after_hours_without_workers_each_half_has_one_run_of_its_latest_slot(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    schedule = Schedule(rollcall.services)
    for _ in range(5 * 60 + 10):
        look(rollcall, schedule)
    rollcall.process_messages()
    finished = [slot for slot, state in states(rollcall) if state is RunState.FINISHED]
    assert sorted(finished) == ["13:30", "14:00"]
    assert len(rollcall.catalog.calls) == 1


def test_a_slot_whose_run_was_skipped_has_another_at_the_next_look(rollcall: Harness) -> None:
    schedule, runs = Schedule(rollcall.services), rollcall.services.store.runs
    schedule.check(Stagger.EVEN)
    (run,), _ = runs.page(None, 1)
    runs.abandon(run.id, RunState.SKIPPED, "the lease is held", rollcall.clock.now())
    schedule.check(Stagger.EVEN)
    rollcall.process_messages()
    assert states(rollcall) == [("09:00", RunState.SKIPPED), ("09:00", RunState.FINISHED)]


def test_a_slot_that_a_pause_has_cost_is_made_up_for_when_the_pause_ends(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    schedule, pauses, now = Schedule(rollcall.services), rollcall.services.store.pauses, rollcall.clock.now()
    pauses.pause("scraper", now + timedelta(hours=3), "works", "ada", now)
    schedule.check(Stagger.EVEN)
    for _ in range(5):
        rollcall.process_messages()
        look(rollcall, schedule)
    assert [slot for slot, _ in states(rollcall)] == ["09:00", "08:30"]  # one each, not one a look
    pauses.resume("scraper")
    look(rollcall, schedule)
    rollcall.process_messages()
    assert len(rollcall.catalog.calls) == 1


class Ahead(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """A trigger that is first asked by a clock a day ahead, for each half, and then by the right one."""

    asked = 0

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        self.asked += 1
        return now + (timedelta(days=1) if self.asked <= 2 else timedelta(seconds=0.05))


def test_a_clock_that_is_set_back_does_not_delay_the_looks(rollcall: Harness) -> None:
    trigger, schedule = Ahead(), Schedule(replace(rollcall.services, clock=SystemClock()))
    schedule.check_on_time(trigger)
    schedule.start()
    try:
        assert trigger.asked == 2
        schedule.follow_clock()
        wait_until(lambda: trigger.asked >= 8, "looks after the clock was set back")
    finally:
        schedule.stop()
