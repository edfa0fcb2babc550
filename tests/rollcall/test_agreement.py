"""Every view of the system's state says the same: whatever fails is shown by each of them."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from domain.alert import AlertState
from domain.catalog_poll import GuardState
from domain.check import Severity
from domain.run import RunState
from domain.section import SectionKey, Stagger
from domain.watch import DEFAULT_KINDS, Watch
from ingress.console.now import fragments
from observability.checks import CHECKS
from operations import status
from operations.context import AdminContext
from resilience.heartbeats import DATABASE_ERROR, DATABASE_ERRORS, TICKED_AT, Heartbeats
from rollcall.alerting import evaluate_alerts
from rollcall.cli.main import rollcall
from rollcall.home import prepare_home
from rollcall.roles.web import health, metrics
from rollcall.settings import parse
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, Overrides, System, build
from store import migrate
from store.catalogs.drills import Drill
from store.catalogs.polls import PollResult
from store.schema import notifications, payments, sections
from tests.support.clock import FakeClock
from tests.support.redis_server import running, valkey_binary

HOUR = timedelta(hours=1)
ELM = """
id = "elm"
name = "Elm College"
family = "banner9"
base_url = "http://127.0.0.1:9/StudentRegistrationSsb"
timezone = "UTC"
"""
LONGEST_PENDING = timedelta(minutes=31)


@dataclass
class Place:
    """A whole system with a process of each role; its clock is the test's."""

    system: System
    clock: FakeClock
    environment: dict[str, str]

    @property
    def room(self) -> AdminContext:
        return self.system.admin

    def beat(self, role: str, **facts: str) -> None:
        self.system.heartbeats.beat(role, f"{socket.gethostname()}:1", facts)

    def views(self, *, has_command: bool) -> dict[str, str]:
        """What the console says, and the command, without markup."""
        drawn = fragments(status.read(self.room), status.read_trends(self.system.services))
        console = {"console": " ".join(re.sub(r"<[^>]+>", " ", " ".join(drawn.values())).split())}
        if not has_command:
            return console
        settings = self.environment
        command = CliRunner().invoke(rollcall, ["status"], env=settings)
        listed = json.loads(CliRunner().invoke(rollcall, ["status", "--json"], env=settings).stdout)
        assert [each["health"] for each in listed] == [command.stdout.partition(":")[0]]
        doctor = CliRunner().invoke(rollcall, ["doctor"], env=settings)
        assert doctor.exit_code
        return console | {"status": command.output if command.exit_code else "", "doctor": doctor.output}

    def examined(self) -> set[str]:
        """What `rollcall doctor` calls a failure."""
        settings = self.environment
        command = CliRunner().invoke(rollcall, ["doctor", "--json"], env=settings)
        return {each["id"] for each in json.loads(command.stdout) if each["status"] == "failure"}

    def raised(self) -> dict[str, str]:
        """The alerts that are raised once what fails has lasted long enough."""
        evaluate_alerts(self.room)
        self.clock.advance(LONGEST_PENDING.total_seconds())
        evaluate_alerts(self.room)
        found = self.system.services.store.alerts.all()
        return {alert.name: alert.subject for alert in found if alert.state is AlertState.RAISED}

    def severities(self) -> dict[str, float]:
        families = text_string_to_metric_families(metrics(self.system)()[0].decode())
        return {
            sample.labels["check"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "rollcall_check_severity"
        }


def assert_shown(alert: str, views: Mapping[str, str]) -> None:
    for view, text in views.items():
        assert alert in text, view


@contextmanager
def whole_system(home: Path, **given: str) -> Iterator[Place]:
    with running(valkey_binary()) as server:
        environment = {"ROLLCALL_HOME": str(home), "REDIS_URL": server.url} | given
        clock = FakeClock(datetime.now(UTC))
        system = build(prepare_home(parse(environment)), Overrides(clock=clock))
        migrate.upgrade(system.database)
        found = Place(system, clock, environment)
        for role in ("worker", "web", "jobs", "scheduler"):
            found.beat(role)
        yield found
        system.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with whole_system(tmp_path) as found:
        yield found


def read_only(place: Place) -> None:
    place.system.redis.replicaof("127.0.0.1", "1")


def full_memory(place: Place) -> None:
    place.system.redis.config_set("maxmemory-policy", "noeviction")
    place.system.redis.config_set("maxmemory", "1")


def old_schema(place: Place) -> None:
    with place.system.database.write() as connection:
        connection.exec_driver_sql("UPDATE rollcall_schema SET version_num = '0001'")


def skewed_clock(place: Place) -> None:
    def a_minute_ahead() -> int:
        return time.time_ns() // 1_000_000 + 60_000

    heartbeats = Heartbeats(place.system.redis, HEARTBEAT_TTL_SECONDS, host_ms=a_minute_ahead)
    heartbeats.beat("web", "north:1", {"host": "north"})


def broken_requests(place: Place) -> None:
    place.beat("web", **{DATABASE_ERRORS: "3", DATABASE_ERROR: "prepared statement does not exist"})


def leave(role: str) -> Callable[[Place], None]:
    return lambda place: place.system.heartbeats.leave(role, f"{socket.gethostname()}:1")


def stuck_scheduler(place: Place) -> None:
    place.beat("scheduler", **{TICKED_AT: str((place.clock.now() - HOUR).timestamp())})


def dead_letter(place: Place) -> None:
    place.system.redis.zadd("dramatiq:check.XQ", {"1": datetime.now(UTC).timestamp() * 1000})


def old_message(place: Place) -> None:
    place.system.redis.rpush("dramatiq:deliver", "1")
    place.system.redis.hset("dramatiq:deliver.msgs", "1", '{"message_timestamp": 1}')


def late_runs(place: Place) -> None:
    long_ago = place.clock.now() - 9 * HOUR
    run, _ = place.system.services.store.runs.create("schedule", Stagger.ALL, long_ago, long_ago, force=True)
    place.system.services.store.runs.abandon(run.id, RunState.FAILED, "never dispatched", long_ago)


def silent_source(place: Place) -> None:
    late_runs(place)
    watch = Watch("ada@example.edu", SectionKey("campus", "2261", "12431"), DEFAULT_KINDS, 1)
    place.system.services.store.watches.add(watch, place.clock.now() - 9 * HOUR)


def pause(place: Place) -> None:
    now = place.clock.now()
    place.system.services.store.pauses.pause("mail", now + 9 * HOUR, "a flood", "ada", now)


def open_breaker(place: Place) -> None:
    place.system.services.breakers["campus"].force_open("ada")


def notification(place: Place, **changes: object) -> None:
    now = place.clock.now()
    watch = Watch("ada@example.edu", SectionKey("campus", "2261", "12431"), DEFAULT_KINDS, 1)
    stored, _ = place.system.services.store.watches.add(watch, now)
    at_ms = int((now - HOUR / 2).timestamp() * 1000)
    row = {
        "watch_id": stored.id, "kind": "seat_available", "episode": 1, "state": "pending", "facts": {},
        "observed_at_ms": at_ms, "created_at_ms": at_ms, "due_at_ms": at_ms,
    }  # fmt: skip
    with place.system.database.write() as connection:
        connection.execute(insert(notifications).values(row | changes))


def lost_mail(place: Place) -> None:
    now_ms = int(place.clock.now().timestamp() * 1000)
    notification(place, state="dead", reason="refused", completed_at_ms=now_ms)


def ended_term(place: Place) -> None:
    long_ago_ms = int((place.clock.now() - 48 * HOUR).timestamp() * 1000)
    watch = Watch("ada@example.edu", SectionKey("campus", "2251", "12431"), DEFAULT_KINDS, 1)
    place.system.services.store.watches.add(watch, place.clock.now())
    gone = {"misses": 3, "missing_since_ms": long_ago_ms, "open_seats": 1, "capacity": 30}
    with place.system.database.write() as connection:
        connection.execute(update(sections).values(gone))


def failed_payment(place: Place) -> None:
    now_ms = int(place.clock.now().timestamp() * 1000)
    row = {"session_id": "cs_1", "payment": "pi_1", "job_id": "job-1", "created_at_ms": now_ms}
    with place.system.database.write() as connection:
        failed = {"failure_reason": "No history.", "failed_at_ms": now_ms}
        connection.execute(insert(payments).values(row | failed))


def failed_refund(place: Place) -> None:
    now_ms = int(place.clock.now().timestamp() * 1000)
    row = {"session_id": "cs_1", "payment": "pi_1", "created_at_ms": now_ms, "refund_id": "re_1"}
    with place.system.database.write() as connection:
        connection.execute(
            insert(payments).values(row | {"refund_state": "failed", "refund_made_at_ms": now_ms})
        )


FAILING = [
    ("database", "database/server", old_schema),
    ("database_errors", "database_errors/many", broken_requests),
    ("redis", "redis/server", read_only),
    ("redis", "redis/server", full_memory),
    ("broker", "broker/server", read_only),
    ("dead_letters", "dead_letters/queues", dead_letter),
    ("queues", "queues/stuck", old_message),
    ("workers", "workers/none", leave("worker")),
    ("scheduler", "scheduler/none", leave("scheduler")),
    ("scheduler", "scheduler/stuck", stuck_scheduler),
    ("jobs", "jobs/none", leave("jobs")),
    ("runs", "runs/late", late_runs),
    ("sources", "sources/campus", silent_source),
    ("pauses", "pauses/mail", pause),
    ("breakers", "breakers/campus", open_breaker),
    ("outbox", "outbox/stuck", notification),
    ("losses", "losses/notifications", lost_mail),
    ("terms", "terms/campus/2251", ended_term),
    ("payments", "payments/cs_1", failed_payment),
    ("refunds", "refunds/cs_1", failed_refund),
    ("clocks", "clocks/north", skewed_clock),
]


def test_every_view_shows_a_healthy_system_as_healthy(place: Place) -> None:
    report = health(place.system).report()
    assert (report.status, report.checks["failing"]) == ("healthy", {})
    assert set(place.severities().values()) == {0.0}
    assert place.raised() == {}


@pytest.mark.parametrize(
    ("check", "name", "fail"), FAILING, ids=[f"{name}-{fail.__name__}" for _, name, fail in FAILING]
)
def test_every_view_shows_what_fails(
    place: Place, check: str, name: str, fail: Callable[[Place], None]
) -> None:
    fail(place)
    report = health(place.system).report()
    assert report.status != "healthy"
    failing: Any = report.checks["failing"]
    assert place.severities()[check] > 0
    views = place.views(has_command=fail is not old_schema)  # a command upgrades the schema first
    alert = place.raised()[name]
    assert alert in failing[check]
    if check in {"database", "redis", "broker"}:  # doctor's own probe says more
        views.pop("doctor", None)
    assert_shown(alert, views)


def fail_run(place: Place, ago: timedelta) -> None:
    runs, begun_at = place.system.services.store.runs, place.clock.now() - ago
    run, _ = runs.create("schedule", Stagger.BUDGET, begun_at, begun_at, force=True)
    runs.abandon(run.id, RunState.FAILED, "never dispatched", begun_at)


def test_with_a_budget_every_view_judges_runs_by_the_hour(tmp_path: Path) -> None:
    with whole_system(tmp_path, CHECK_SCHEDULE="budget") as place:
        fail_run(place, timedelta(minutes=100))
        assert health(place.system).report().status == "healthy"  # the stagger would be late
        fail_run(place, timedelta(minutes=130))
        failing: Any = health(place.system).report().checks["failing"]
        views, alert = place.views(has_command=True), place.raised()["runs/late"]
    assert alert in failing["runs"]
    assert_shown(alert, views)


def test_every_view_shows_that_the_answers_of_a_catalog_are_held(tmp_path: Path) -> None:
    profile = tmp_path / "elm.toml"
    profile.write_text(ELM)
    with whole_system(tmp_path / "home", CATALOGS=str(profile)) as place:
        polls, now = place.system.services.store.polls, place.clock.now()
        result = PollResult(now, guard=GuardState.HELD, guard_reason="60 openings at once")
        polls.finish(polls.begin(("elm", "2026/FA"), 1, now), result, now)
        assert place.severities()["guards"] > 0
        failing: Any = health(place.system).report().checks["failing"]
        views, alert = place.views(has_command=True), place.raised()["guards/elm/2026/FA"]
    assert alert == "The answers of elm about 2026/FA are held"
    assert alert in failing["guards"]
    assert_shown(alert, views)


def test_every_view_shows_that_the_drill_of_a_catalog_failed(tmp_path: Path) -> None:
    profile = tmp_path / "elm.toml"
    profile.write_text(ELM)
    with whole_system(tmp_path / "home", CATALOGS=str(profile)) as place:
        drills, now = place.system.services.store.drills, place.clock.now()
        drills.record(Drill("elm", now, {"terms": 0.2}))
        assert health(place.system).report().status == "healthy"
        drills.record(Drill("elm", now, {"terms": 0.2}, error="SchemaError: rows changed"))
        failing: Any = health(place.system).report().checks["failing"]
        views, alert = place.views(has_command=True), place.raised()["drills/elm"]
        drills.record(Drill("elm", place.clock.now() - timedelta(days=3), {"terms": 0.2}))
        assert "the fire drill of elm is overdue" in place.views(has_command=False)["console"]
    assert alert == "The fire drill of elm failed"
    assert alert in failing["drills"]
    assert_shown(alert, views)


def test_every_check_fails_here_except_the_disk_and_advisory_ones() -> None:
    expected = {check.name for check in CHECKS if check.severity is not Severity.HEALTHY}
    assert {check for check, _, _ in FAILING} == expected - {"disk", "guards", "drills"}


def test_an_advisory_check_alerts_and_leaves_the_system_healthy(place: Place) -> None:
    watch = Watch("ada@example.edu", SectionKey("campus", "2251", "99999"), DEFAULT_KINDS, 1)
    place.system.services.store.watches.add(watch, place.clock.now())
    missed = {"misses": 1, "missing_since_ms": int(place.clock.now().timestamp() * 1000)}
    with place.system.database.write() as connection:
        connection.execute(update(sections).values(missed))

    report = health(place.system).report()

    failing: Any = report.checks["failing"]
    assert (report.status, place.severities()["unknown_sections"]) == ("healthy", 0.0)
    assert place.raised()["unknown_sections/campus"] in failing["unknown_sections"]


@pytest.mark.parametrize(
    ("finding", "fail"),
    [
        ("redis", read_only),
        ("database.migrations", old_schema),
        ("workers", leave("worker")),
        ("scheduler", leave("scheduler")),
        ("scheduler", stuck_scheduler),
    ],
)
def test_doctor_fails_what_the_checks_fail(place: Place, finding: str, fail: Callable[[Place], None]) -> None:
    assert finding not in place.examined()
    fail(place)
    assert finding in place.examined()
    assert health(place.system).report().status == "unhealthy"
