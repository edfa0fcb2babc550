from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import text

from actors.services import JobPorts
from domain.job import Profile
from domain.section import Stagger
from scheduling.runner import EVERY_MINUTE, Schedule, condense_history
from store.database import Database
from tests.support.house import House, house, sqlite_url
from tests.support.stack import wait_until
from workflows.catalog import CATALOG

OFTEN = IntervalTrigger(seconds=0.05, timezone=UTC)
BEFORE = [(Stagger.ODD, "08:30"), (Stagger.EVEN, "09:00")]


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[House]:
    with house(sqlite_url(tmp_path), redis_client, prefix) as found:
        yield found


@contextmanager
def looking(rollcall: House) -> Iterator[None]:
    """A schedule that looks all the time for what is due by the house's clock."""
    schedule = Schedule(rollcall.services)
    schedule.check_on_time(OFTEN)
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


def slots(rollcall: House) -> list[tuple[Stagger, str]]:
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


def test_a_slot_that_the_database_could_not_take_is_made_good_at_a_later_look(
    rollcall: House, caplog: pytest.LogCaptureFixture
) -> None:
    with looking(rollcall):
        wait_until(lambda: slots(rollcall) == BEFORE, "the latest slots")
        with out_of_order(rollcall.database):
            rollcall.clock.advance(30 * 60)
            wait_until(lambda: "no such table: runs" in caplog.text, "a look in vain")
        wait_until(lambda: slots(rollcall) == [*BEFORE, (Stagger.ODD, "09:30")], "the run that was lost")


def test_after_a_long_sleep_the_latest_slot_of_each_half_is_made_good_and_no_older_one(
    rollcall: House,
) -> None:
    with looking(rollcall):
        wait_until(lambda: slots(rollcall) == BEFORE, "the latest slots")
        rollcall.clock.advance(5 * 3600)
        made_good = [*BEFORE, (Stagger.ODD, "13:30"), (Stagger.EVEN, "14:00")]
        wait_until(lambda: slots(rollcall) == made_good, "the latest slots after the sleep")


def test_another_process_makes_no_slot_good_that_has_its_run(rollcall: House) -> None:
    for _ in range(2):
        process = Schedule(rollcall.services)
        for half in (Stagger.EVEN, Stagger.ODD):
            process.check(half)
    assert slots(rollcall) == BEFORE


def test_a_look_at_a_slot_that_was_asked_for_costs_no_query(rollcall: House) -> None:
    schedule = Schedule(rollcall.services)
    schedule.check(Stagger.EVEN)
    rollcall.clock.advance(60)
    with out_of_order(rollcall.database):
        schedule.check(Stagger.EVEN)


def test_it_looks_at_each_full_minute_the_finest_time_of_a_timetable() -> None:
    now = datetime(2026, 1, 15, 9, 0, 1, tzinfo=UTC)
    assert EVERY_MINUTE.get_next_fire_time(None, now) == now + timedelta(seconds=59)


def test_the_history_is_condensed_once_a_day_however_often_a_scheduler_asks(rollcall: House) -> None:
    services = replace(rollcall.services, jobs=JobPorts(CATALOG))
    for _ in range(2):
        condense_history(services)
    (job,) = services.store.jobs.page(None, 10)[0]
    assert (job.kind, job.profile, job.given) == ("condense", Profile.BATCH, {})

    rollcall.clock.advance(86_400)
    condense_history(services)
    assert len(services.store.jobs.page(None, 10)[0]) == 2
