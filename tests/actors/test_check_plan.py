from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import func, select, update

from actors.check_plan import is_check_due, plan_checks
from actors.dispatch import dispatch, trigger_run
from domain.check_schedule import MAX_INTERVAL_HOURS
from domain.errors import UpstreamError
from domain.notification import NotificationState
from domain.run import Run, RunState
from domain.section import Stagger
from scheduling.runner import Schedule
from store.check_plans import RETENTION
from store.database import to_ms
from store.schema import check_estimates, runs, sections
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.superseded_lease import superseded

NUMBERS = tuple(str(number) for number in range(12430, 12440))
MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    """A system with the check schedule, and ten watched sections."""
    settings = {"CHECK_SCHEDULE": "budget"}
    with harness(sqlite_url(tmp_path), redis_client, prefix, settings=settings) as found:
        for number in NUMBERS:
            found.watch(number)
            found.catalog.rows[found.key(number)] = Row(open_seats=0)
        yield found


def tick(rollcall: Harness, minutes: int = 1, *, every: int = 1) -> None:
    """Let the scheduler ask once a minute, or `every` some, and the workers do what it publishes."""
    schedule = Schedule(rollcall.services)
    for _ in range(0, minutes, every):
        schedule.check_due()
        rollcall.process_messages()
        rollcall.advance(MINUTE * every)


def checks(rollcall: Harness) -> int:
    return sum(map(len, rollcall.catalog.calls))


def all_runs(rollcall: Harness) -> list[Run]:
    return rollcall.services.store.runs.page(None, 10_000)[0]


def saved(rollcall: Harness) -> float:
    return rollcall.services.store.check_plans.activities(["scraper"])["scraper"].saved


def test_new_sections_are_checked_at_once_and_then_as_often_as_by_the_stagger(rollcall: Harness) -> None:
    tick(rollcall)
    assert checks(rollcall) == 10
    tick(rollcall, minutes=12 * 60)
    assert checks(rollcall) == pytest.approx(12 * 10, rel=0.15)
    assert checks(rollcall) + saved(rollcall) == pytest.approx(12 * 10, abs=1)
    assert {run.stagger for run in all_runs(rollcall)} == {Stagger.BUDGET}


def test_a_run_begins_only_when_a_check_is_due(rollcall: Harness) -> None:
    tick(rollcall, minutes=180)
    found = all_runs(rollcall)
    assert len(found) <= checks(rollcall)
    # The pace may have slowed since the plan that said when the next check is due.
    assert sum(not run.sections for run in found) <= 0.2 * len(found)


def test_an_opening_is_found_and_mailed_once(rollcall: Harness) -> None:
    tick(rollcall)
    rollcall.catalog.rows[rollcall.key("12435")].open_seats = 2
    tick(rollcall, minutes=240)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT]


def test_sections_that_have_just_been_checked_otherwise_wait(rollcall: Harness) -> None:
    rollcall.run(Stagger.ALL)
    tick(rollcall)
    assert checks(rollcall) == 10


def test_no_section_waits_longer_than_three_hours(rollcall: Harness) -> None:
    for number in NUMBERS:
        rollcall.catalog.rows[rollcall.key(number)].open_seats = 300
    tick(rollcall, minutes=12 * 60)
    with rollcall.database.read() as connection:
        oldest = connection.execute(select(func.min(sections.c.observed_at_ms))).scalar_one()
    assert to_ms(rollcall.clock.now()) - oldest <= MAX_INTERVAL_HOURS * HOUR * 1000


def test_after_an_hour_without_a_scheduler_the_budget_of_one_hour_is_spent(rollcall: Harness) -> None:
    tick(rollcall)
    rollcall.clock.advance(50 * HOUR)
    tick(rollcall, minutes=2)
    assert checks(rollcall) <= 10 + 11


def test_a_clock_that_was_set_back_delays_nothing(rollcall: Harness) -> None:
    tick(rollcall)
    rollcall.clock.advance(-50 * HOUR)
    tick(rollcall)
    assert checks(rollcall) == 20
    tick(rollcall, minutes=4 * 60)
    assert checks(rollcall) <= 20 + 45


def test_a_source_that_is_paused_spends_nothing_and_has_no_runs(rollcall: Harness) -> None:
    pauses, now = rollcall.services.store.pauses, rollcall.clock.now()
    pauses.pause("scraper", now + timedelta(hours=5), "maintenance", "ada", now)
    tick(rollcall, minutes=60)
    assert (all_runs(rollcall), checks(rollcall)) == ([], 0)
    assert not is_check_due(rollcall.services, rollcall.clock.now())


def test_a_check_that_fails_counts_as_a_check_and_is_repeated_within_half_an_hour(rollcall: Harness) -> None:
    tick(rollcall)
    key = rollcall.key("12430")
    rollcall.catalog.errors[key] = UpstreamError("away")
    tick(rollcall, minutes=5 * 60)
    asked = sum(key in call for call in rollcall.catalog.calls)
    assert 5 <= asked <= 40


def test_a_section_that_is_missing_is_not_retired_within_an_hour(rollcall: Harness) -> None:
    tick(rollcall, minutes=3)
    key = rollcall.key("12430")
    del rollcall.catalog.rows[key]
    opens_often = update(check_estimates).where(check_estimates.c.section_id == 1).values(openings=1000.0)
    with rollcall.database.write() as connection:
        connection.execute(opens_often)
    calls = len(rollcall.catalog.calls)
    tick(rollcall, minutes=59)
    assert sum(key in call for call in rollcall.catalog.calls[calls:]) <= 2


def test_a_retired_section_is_checked_once_a_day(rollcall: Harness) -> None:
    tick(rollcall)
    with rollcall.database.write() as connection:
        connection.execute(update(sections).where(sections.c.number == "12430").values(retired=True))
        connection.execute(update(check_estimates).values(checked_at_ms=to_ms(rollcall.clock.now())))
    del rollcall.catalog.rows[rollcall.key("12430")]
    calls = len(rollcall.catalog.calls)
    tick(rollcall, minutes=26 * 60, every=10)
    asked = sum(rollcall.key("12430") in call for call in rollcall.catalog.calls[calls:])
    assert asked == 1


def test_a_dispatcher_that_dies_before_it_starts_the_run_has_spent_nothing(rollcall: Harness) -> None:
    trigger_run(rollcall.services, "schedule", None, force=False)
    rollcall.messages.clear()
    assert [key.number for key in plan_checks(rollcall.services, rollcall.clock.now())[0].chosen] == [
        *NUMBERS
    ]
    rollcall.advance(20)
    assert checks(rollcall) == 10


def test_a_dispatcher_that_dies_before_it_publishes_loses_no_check(rollcall: Harness) -> None:
    run, _ = trigger_run(rollcall.services, "schedule", None, force=False)
    rollcall.messages.clear()
    dispatch(rollcall.services, run.id)
    rollcall.messages.clear()
    assert checks(rollcall) == 0
    rollcall.advance(20)
    assert (rollcall.reload(run).checked, checks(rollcall)) == (10, 10)


def test_a_dispatcher_that_lost_its_lease_spends_nothing(rollcall: Harness) -> None:
    run, _ = trigger_run(rollcall.services, "schedule", None, force=False)
    rollcall.messages.clear()
    dispatch(superseded(rollcall.services), run.id)
    assert rollcall.reload(run).state is RunState.QUEUED
    with rollcall.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(check_estimates)).scalar_one() == 0


def test_no_second_run_waits_for_a_dispatcher(rollcall: Harness) -> None:
    schedule = Schedule(rollcall.services)
    for _ in range(3):
        schedule.check_due()
    assert len(all_runs(rollcall)) == 1


def test_runs_of_the_check_schedule_are_kept_for_some_days(rollcall: Harness) -> None:
    forced = rollcall.run(Stagger.ALL)
    tick(rollcall, minutes=30)
    before = len(all_runs(rollcall))
    rollcall.clock.advance(RETENTION.total_seconds() + HOUR)
    tick(rollcall, minutes=30)
    kept = all_runs(rollcall)
    assert forced.id in {run.id for run in kept}
    oldest = rollcall.clock.now() - RETENTION
    assert before > 1
    assert all(run.finished_at and run.finished_at > oldest for run in kept if run.stagger is Stagger.BUDGET)


def test_a_run_holds_no_slot(rollcall: Harness) -> None:
    tick(rollcall)
    with rollcall.database.read() as connection:
        assert connection.execute(select(runs.c.holds_slot)).scalars().all() == [False]
