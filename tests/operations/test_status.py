from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from domain.run import RunState
from observability.checks.snapshot import RunStatus, SystemSnapshot, Unavailable
from operations import runs, status
from scheduling.runner import Schedule
from tests.operations.journal import do
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url


def test_everything_is_read_at_once(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(0)
    rollcall.run()
    rollcall.admin.heartbeats.beat("worker", "a:1", {})
    rollcall.admin.heartbeats.beat("jobs", "a:2", {})
    rollcall.services.cron_lease.acquire("run 1", {"host": "a"})
    found = status.read(rollcall.admin)
    unread = [name for name in SystemSnapshot.__slots__ if isinstance(getattr(found, name), Unavailable)]
    assert unread == []
    assert not isinstance(found.runs, Unavailable)
    assert found.runs.current is None
    assert found.runs.last is not None
    assert found.runs.last.state is RunState.FINISHED
    assert found.runs.next_at == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    assert [worker.instance_id for worker in found.alive("worker")] == ["a:1"]
    assert (len(found.alive("scheduler")), len(found.alive("jobs"))) == (0, 1)
    assert not isinstance(found.lease, Unavailable)
    assert found.lease is not None
    assert not isinstance(found.sources, Unavailable)
    assert found.sources["scraper"].last_success_at == rollcall.clock.now()


def test_the_run_in_progress_is_distinguished_from_the_last_that_ended(rollcall: Harness) -> None:
    ended = rollcall.run()
    rollcall.clock.advance(60)
    begun, _ = do(rollcall, runs.TRIGGER, stagger="all", force=True).value
    found = status.read(rollcall.admin).runs
    assert not isinstance(found, Unavailable)
    assert found.current is not None
    assert found.last is not None
    assert (found.current.id, found.last.id) == (begun.id, ended.id)


def test_without_the_scheduler_no_run_is_next(rollcall: Harness) -> None:
    found = status.read(replace(rollcall.admin, is_scheduled=False)).runs
    assert not isinstance(found, Unavailable)
    assert found.next_at is None


def test_only_the_pauses_in_force_are_shown(rollcall: Harness) -> None:
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("mail", now + timedelta(minutes=5), "a flood", "ada", now)
    held = status.read(rollcall.admin)
    assert held.pause("mail") is not None
    assert held.pause("scraper") is None
    rollcall.clock.advance(300)
    assert status.read(rollcall.admin).pauses == {}


def test_without_redis_the_rest_is_read(tmp_path: Path, unreachable: redis.Redis, prefix: str) -> None:
    with harness(sqlite_url(tmp_path), unreachable, prefix) as away:
        found = status.read(away.admin)
    unread = {name for name in SystemSnapshot.__slots__ if isinstance(getattr(found, name), Unavailable)}
    of_redis = {"redis", "broker", "processes", "database_errors"}
    assert unread == of_redis | {"queues", "breakers", "lease", "clocks"}


def test_what_the_database_cannot_say_hides_nothing_else(rollcall: Harness) -> None:
    with rollcall.database.write() as connection:
        for table in ("runs", "alerts", "pauses"):
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_away")
    found = status.read(rollcall.admin)
    unread = {name for name in SystemSnapshot.__slots__ if isinstance(getattr(found, name), Unavailable)}
    assert unread == {"runs", "sources", "pauses", "alerts"}


def test_the_hours_and_the_latency_are_read(rollcall: Harness) -> None:
    rollcall.watch()
    for open_seats in (0, 2):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(1)
    found = status.read_trends(rollcall.services)
    assert not isinstance(found.hours, Unavailable)
    assert not isinstance(found.latency, Unavailable)
    assert (len(found.hours), found.hours[-1].checks, found.hours[-1].openings) == (24, 2, 1)
    assert (found.latency.mails, found.latency.p50_seconds) == (1, 0.0)


def test_one_that_cannot_be_read_does_not_hide_the_other(rollcall: Harness) -> None:
    with rollcall.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE runs RENAME TO runs_away")
    found = status.read_trends(rollcall.services)
    assert isinstance(found.hours, Unavailable)
    assert not isinstance(found.latency, Unavailable)


@pytest.fixture
def budgeted(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    settings = {"CHECK_SCHEDULE": "budget"}
    with harness(sqlite_url(tmp_path), redis_client, prefix, settings=settings) as found:
        found.watch()
        found.catalog.rows[found.key()] = Row(0)
        yield found


def runs_of(harnessed: Harness) -> RunStatus:
    found = status.read(harnessed.admin).runs
    assert not isinstance(found, Unavailable)
    return found


def test_with_a_budget_the_next_run_is_when_a_check_is_due(budgeted: Harness) -> None:
    assert runs_of(budgeted).next_at == budgeted.clock.now()
    Schedule(budgeted.services).check_due()
    budgeted.process_messages()
    found = runs_of(budgeted)
    assert found.next_at is not None
    assert budgeted.clock.now() < found.next_at <= budgeted.clock.now() + timedelta(hours=1)
    assert (found.is_budgeted, found.oldest_check_at) == (True, budgeted.clock.now())
    assert "budget" in found.schedule


def test_with_a_budget_runs_are_late_after_two_hours_without_a_success(budgeted: Harness) -> None:
    Schedule(budgeted.services).check_due()
    budgeted.process_messages()
    budgeted.clock.advance(2 * 3600)
    assert not runs_of(budgeted).times.is_late
    budgeted.clock.advance(1)
    assert runs_of(budgeted).times.is_late


def test_with_a_budget_a_source_is_silent_when_no_section_may_have_waited_so_long(budgeted: Harness) -> None:
    def silent_since() -> datetime | None:
        return status.sources(budgeted.services, is_scheduled=True)["scraper"].silent_since

    Schedule(budgeted.services).check_due()
    budgeted.process_messages()
    answered_at = budgeted.clock.now()
    budgeted.clock.advance(4 * 3600)
    assert silent_since() is None
    budgeted.clock.advance(1)
    assert silent_since() == answered_at


def test_the_stagger_shows_no_oldest_check(rollcall: Harness) -> None:
    assert (runs_of(rollcall).is_budgeted, runs_of(rollcall).oldest_check_at) == (False, None)
