from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from actors.dispatch import trigger_run
from actors.services import OperatorChannels
from domain.alert import AlertMessage, AlertState
from domain.errors import UnauthorisedError, UnreachableError
from domain.ports import Mailer
from domain.section import Stagger
from notifications.operator_mail import OperatorMail
from observability.checks import runbook_link
from operations.context import AdminContext
from operations.status import sources
from resilience.queues import QueueStats
from rollcall.alerting import evaluate_alerts, evaluate_without_scheduler
from rollcall.roles.web import health
from rollcall.wiring import System
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url

SENDER, OPERATOR = "Rollcall <rollcall@example.edu>", "operator@example.edu"
EMPTY = {"check": QueueStats(0, None, 0)}
NO_DISK_ALERT = {"disk/home", "unreadable/disk"}  # the machine's own disk is not the test's business


@dataclass
class Lookout:
    """A whole system over a harness, looked at every half minute of its own time."""

    rollcall: Harness
    system: System
    queues: Mapping[str, QueueStats] | None = field(default_factory=lambda: dict(EMPTY))
    works: bool = True
    has_jobs_process: bool = True
    has_scheduler: bool = True

    def look(self, minutes: float = 0) -> None:
        """Look now, and every half minute for `minutes`; a worker, if there is one, works meanwhile."""
        self._look()
        for _ in range(round(minutes * 2)):
            self.rollcall.clock.advance(30)
            self._look()

    def raised(self) -> set[str]:
        alerts = self.rollcall.services.store.alerts.all()
        return {alert.name for alert in alerts if alert.state is AlertState.RAISED} - NO_DISK_ALERT

    def subjects(self) -> list[str]:
        return [letter.subject for letter in self.rollcall.mailer.sent if letter.to == OPERATOR]

    @property
    def room(self) -> AdminContext:
        is_scheduled = self.system.settings.scheduler == "on"
        return replace(self.rollcall.admin, queues=self._queues, is_scheduled=is_scheduled)

    def _look(self) -> None:
        if self.works:
            self.system.heartbeats.beat("worker", "here", {})
        if self.has_scheduler:
            self.system.heartbeats.beat("scheduler", "elsewhere", {})
        if self.has_jobs_process:
            self.system.heartbeats.beat("jobs", "there", {})
        evaluate_alerts(self.room)
        self.rollcall.process_messages()

    def _queues(self) -> Mapping[str, QueueStats]:
        if self.queues is None:
            raise UnreachableError("the broker is gone")
        return self.queues


Made = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Made:
    def operator(mailer: Mailer) -> OperatorChannels:
        about = partial(runbook_link, "https://example.edu")
        return OperatorChannels({"mail": OperatorMail(mailer, SENDER, OPERATOR, about).send})

    @contextmanager
    def made(**settings: str) -> Iterator[Lookout]:
        with harness(
            sqlite_url(tmp_path), redis_client, prefix, operator=operator, settings=settings
        ) as built:
            yield Lookout(built, built.system)

    return made


@pytest.fixture
def lookout(make: Made) -> Iterator[Lookout]:
    with make() as found:
        yield found


def to_ms(built: Harness) -> int:
    return int(built.clock.now().timestamp() * 1000)


def test_a_new_installation_has_no_alerts(lookout: Lookout) -> None:
    lookout.look(150)
    assert lookout.raised() == set()


def test_a_wrong_token_is_one_alert_and_one_recovery_however_many_runs_it_outlasts(lookout: Lookout) -> None:
    rollcall = lookout.rollcall
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UnauthorisedError("401")
    for _ in range(8):
        trigger_run(rollcall.services, "schedule", Stagger.ALL, force=True)
        for _ in range(30):
            rollcall.advance(60)
            lookout.look()
    assert lookout.subjects() == ["The source scraper is paused"]
    rollcall.catalog.errors.clear()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.run()
    for _ in range(20):
        rollcall.advance(60)
        lookout.look()
    assert lookout.subjects() == ["The source scraper is paused", "Resolved: The source scraper is paused"]


def test_the_start_and_the_end_of_an_operators_pause_are_notified(lookout: Lookout) -> None:
    pauses, now = lookout.rollcall.services.store.pauses, lookout.rollcall.clock.now()
    pauses.pause("mail", now + timedelta(hours=2), "a flood", "ada", now)
    lookout.look(10)
    assert lookout.subjects() == ["Mail is paused"]
    pauses.resume("mail")
    lookout.look(2)
    assert lookout.subjects() == ["Mail is paused", "Resolved: Mail is paused"]


def test_late_runs_are_an_alert_after_two_intervals(lookout: Lookout) -> None:
    trigger_run(lookout.rollcall.services, "schedule", Stagger.ALL, force=True)
    lookout.rollcall.process_messages()
    lookout.look(59)
    assert lookout.raised() == set()
    lookout.look(45)
    assert lookout.raised() == {"runs/late"}


@pytest.mark.parametrize(("trigger", "raised"), [("cli", set()), ("http", {"runs/late"})])
def test_without_the_scheduler_runs_are_missed_only_where_they_came_over_http(
    make: Made, trigger: str, raised: set[str]
) -> None:
    with make(SCHEDULER="off") as lookout:
        trigger_run(lookout.rollcall.services, trigger, Stagger.ALL, force=True)
        lookout.rollcall.process_messages()
        lookout.look(150)
        assert lookout.raised() == raised


def test_a_silent_source_is_an_alert_and_degrades_health(lookout: Lookout) -> None:
    rollcall, report = lookout.rollcall, health(lookout.system).report
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.run()
    rollcall.clock.advance(2 * 3600)
    lookout.look()
    assert silent_since(lookout) is None
    rollcall.clock.advance(3600)
    lookout.look(31)
    assert "sources/scraper" in lookout.raised()
    assert report().status != "healthy"
    rollcall.services.store.opt_outs.stop_all("ada@example.edu", rollcall.clock.now())
    lookout.look(2)
    assert "sources/scraper" not in lookout.raised()


def silent_since(lookout: Lookout) -> object:
    return sources(lookout.rollcall.services, is_scheduled=True)["scraper"].silent_since


def test_health_shows_until_when_a_source_and_mail_are_paused(lookout: Lookout) -> None:
    pauses, now = lookout.rollcall.services.store.pauses, lookout.rollcall.clock.now()
    served = health(lookout.system)
    unpaused: Any = served.report().checks["mail"]
    assert (unpaused["transport"], unpaused["paused_until"]) == ("post", None)
    for name in ("scraper", "mail"):
        pauses.pause(name, now + timedelta(hours=2), "a reason", "ada", now)
    checks: dict[str, Any] = served.report().checks
    assert checks["mail"]["paused_until"] == "2026-01-15T11:00:00.000Z"
    assert checks["sources"]["scraper"]["paused_until"] == "2026-01-15T11:00:00.000Z"


def test_an_unreadable_state_is_an_alert_and_what_it_hides_stays_as_it_was(lookout: Lookout) -> None:
    lookout.queues = {"check": QueueStats(0, None, 3)}
    lookout.look()
    lookout.queues = None
    lookout.look(5)
    assert lookout.raised() == {"dead_letters/queues", "unreadable/dead_letters", "unreadable/queues"}
    lookout.queues = dict(EMPTY)
    lookout.look(2)
    assert lookout.raised() == set()


def test_without_a_worker_the_scheduler_sends_the_alert_itself(lookout: Lookout) -> None:
    lookout.works = False
    lookout.look(2)
    assert lookout.subjects() == ["No worker is alive"]
    lookout.works = True
    lookout.look(2)
    assert lookout.subjects() == ["No worker is alive", "Resolved: No worker is alive"]


def test_a_missing_jobs_process_and_its_return_are_notified(lookout: Lookout) -> None:
    lookout.has_jobs_process = False
    lookout.look(2)
    assert lookout.subjects() == ["No jobs process is alive"]
    lookout.has_jobs_process = True
    lookout.look(2)
    assert lookout.subjects() == ["No jobs process is alive", "Resolved: No jobs process is alive"]


def test_the_alert_of_a_removed_source_is_resolved(lookout: Lookout) -> None:
    gone = {"sources/gone": AlertMessage("The source gone is silent", "", "")}
    lookout.rollcall.services.store.alerts.observe(gone, lookout.rollcall.clock.now())
    assert lookout.raised() == {"sources/gone"}
    lookout.look(2)
    assert lookout.raised() == set()


def test_a_dead_scheduler_is_reported_by_another_process(lookout: Lookout) -> None:
    lookout.has_scheduler = False
    for _ in range(6):
        lookout.rollcall.clock.advance(30)
        lookout.system.heartbeats.beat("worker", "here", {})
        lookout.system.heartbeats.beat("jobs", "there", {})
        evaluate_without_scheduler(lookout.room)
        lookout.rollcall.process_messages()
    assert lookout.subjects() == ["No scheduler is alive"]
    lookout.has_scheduler = True
    lookout.look(2)
    assert lookout.subjects() == ["No scheduler is alive", "Resolved: No scheduler is alive"]


def test_other_processes_evaluate_nothing_while_a_scheduler_is_alive(lookout: Lookout) -> None:
    lookout.look()
    lookout.queues = {"check": QueueStats(0, None, 3)}
    evaluate_without_scheduler(lookout.room)
    assert lookout.raised() == set()
