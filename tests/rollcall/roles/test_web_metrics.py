"""The metrics of `/metrics`, over the wired system and a Redis that comes and goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observability.recorders import CHECKS, NOTIFICATION_LATENCY
from resilience.heartbeats import MEMORY, TICKED_AT, Task, ThreadTask
from rollcall.home import prepare_home
from rollcall.roles.web import metrics
from rollcall.settings import parse
from rollcall.wiring import System, build
from store import migrate
from store.backup import last_backup
from tests.support.redis_server import RedisServer, running, valkey_binary

Scrape = Callable[[], dict[str, float]]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running(valkey_binary()) as found:
        yield found


@pytest.fixture
def system(tmp_path: Path, server: RedisServer) -> Iterator[System]:
    settings = parse({"ROLLCALL_HOME": str(tmp_path / "home"), "REDIS_URL": server.url})
    found = build(prepare_home(settings))
    migrate.upgrade(found.database)
    yield found
    found.close()


@pytest.fixture
def scrape(system: System) -> Scrape:
    """Asks for everything; the values by name and labels, as Prometheus shows them."""
    exposition = metrics(system)

    def ask() -> dict[str, float]:
        families = text_string_to_metric_families(exposition()[0].decode())
        samples = [sample for family in families for sample in family.samples]
        return {f"{s.name}{{{','.join(s.labels.values())}}}": s.value for s in samples}

    return ask


def test_a_new_system_has_zero_counts_and_no_times(scrape: Scrape) -> None:
    found = scrape()
    assert found["rollcall_unreadable_checks{}"] == 0
    assert found["rollcall_checks_total{timeout,campus}"] == 0
    assert found["rollcall_breaker_transitions_total{mail,open}"] == 0
    assert found["rollcall_deliveries_total{complained}"] == 0
    assert found["rollcall_notification_latency_seconds_count{}"] == 0
    assert found["rollcall_processes_alive{worker}"] == 0
    assert (found["rollcall_check_schedule{stagger}"], found["rollcall_check_schedule{budget}"]) == (1, 0)
    assert found["rollcall_breaker_state{campus,closed}"] == 1
    assert found["rollcall_notifications_oldest_age_seconds{}"] == 0
    assert 0 < found["rollcall_disk_free_bytes{}"] < found["rollcall_disk_size_bytes{}"]
    assert not [name for name in found if "timestamp" in name]


def test_the_counts_of_a_process_are_shown_by_another(system: System, scrape: Scrape) -> None:
    system.services.recorder.add(CHECKS, "campus", "observed", n=7)
    system.services.recorder.observe(NOTIFICATION_LATENCY, seconds=2)
    system.heartbeat.flush()
    found = scrape()
    assert found["rollcall_checks_total{observed,campus}"] == 7
    assert found["rollcall_notification_latency_seconds_bucket{1.0}"] == 0
    assert found["rollcall_notification_latency_seconds_bucket{2.5}"] == 1
    assert found["rollcall_notification_latency_seconds_sum{}"] == 2


def test_the_last_counts_are_stored_when_the_process_closes(system: System) -> None:
    system.services.recorder.add(CHECKS, "campus", "observed", n=7)
    system.close()
    assert CHECKS.value(system.heartbeat.metrics.read(), "campus", "observed") == 7


def test_processes_and_threads_are_read_from_the_heartbeats(system: System, scrape: Scrape) -> None:
    busy = ThreadTask(0, Task("sections.check", "check", "id", 0))
    for name in ("a", "b"):
        system.heartbeats.beat("worker", name, {MEMORY: "1000"}, [busy, ThreadTask(1)])
    system.heartbeats.beat("scheduler", "c", {TICKED_AT: "17.5"})
    found = scrape()
    assert found["rollcall_processes_alive{worker}"] == 2
    assert found["rollcall_process_resident_memory_bytes{worker}"] == 2000
    assert found["rollcall_messages_in_flight{sections.check}"] == 2
    assert found["rollcall_messages_in_flight{mail.deliver}"] == 0
    assert found["rollcall_worker_threads{}"] == 4
    assert found["rollcall_scheduler_last_tick_timestamp_seconds{}"] == 17.5


def test_pauses_breakers_and_the_lease_are_as_operators_set_them(system: System, scrape: Scrape) -> None:
    services, now = system.services, system.services.clock.now()
    services.store.pauses.pause("mail", now + timedelta(hours=1), "why", "ada", now)
    services.breakers["campus"].force_open("ada")
    with services.cron_lease.holding("run", {}):
        found = scrape()
    assert found["rollcall_paused{mail}"] == 1
    assert found["rollcall_paused{campus}"] == 0
    assert (found["rollcall_breaker_state{campus,open}"], found["rollcall_breaker_forced{campus}"]) == (1, 1)
    assert found["rollcall_cron_lease_held{}"] == 1
    assert scrape()["rollcall_cron_lease_held{}"] == 0


def test_while_redis_is_unavailable_what_it_holds_is_absent_and_the_rest_is_shown(
    server: RedisServer, scrape: Scrape
) -> None:
    before = scrape()
    server.stop()
    found = scrape()
    assert found["rollcall_unreadable_checks{}"] == 5  # queues, breakers, lease, processes, counts
    gone = {name.partition("{")[0] for name in before.keys() - found.keys()}
    assert {"rollcall_queue_depth", "rollcall_breaker_state", "rollcall_checks_total"} <= gone
    assert "rollcall_runs_late{}" in found
    assert "rollcall_notifications{pending}" in found
    assert "rollcall_disk_free_bytes{}" in found


def test_the_last_backup_is_shown_by_its_time(system: System, scrape: Scrape) -> None:
    at = datetime(2026, 1, 15, 3, 10, tzinfo=UTC)
    last_backup.record(system.settings.home, last_backup.LastBackup(at, "file", 1, 1))
    assert scrape()["rollcall_last_backup_timestamp_seconds{}"] == at.timestamp()
