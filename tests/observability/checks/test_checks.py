from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import AlertMessage
from domain.check import Severity, alerts, worst
from domain.money import Payment, PaymentFailures, Refund, RefundState
from domain.run import Run, RunState
from domain.section import Stagger
from domain.term import Presence
from observability.checks import CHECKS, findings
from observability.checks.snapshot import DatabaseErrors, Disk, RunSchedule, RunStatus, Unavailable
from resilience.queues import QueueStats
from store.notifications.outbox import Backlog, Losses
from store.pauses import ROLLCALL, Pause
from store.sections.states import UnknownSections
from tests.observability.checks.states import CLOSED, GIB, HEARD, HOUR, MINUTE, NOW, TIMES, WELL, processes


def holding(**changes: Any) -> dict[str, AlertMessage]:
    """The alert rules that hold where all is well but for `changes`."""
    found = alerts(findings(replace(WELL, **changes)))
    return {name: symptom for name, symptom in found.items() if symptom is not None}


PROBED = {"database", "redis", "broker"}
FIELDS = {
    "workers": "processes",
    "scheduler": "processes",
    "jobs": "processes",
    "dead_letters": "queues",
    "refunds": "payments",
}


def pause(name: str = "scraper", by: str = "ada", minutes: float = 60) -> dict[str, Pause]:
    return {name: Pause(name, NOW + minutes * MINUTE, "it refuses us", by, NOW - HOUR)}


def test_on_a_healthy_system_every_check_has_findings_and_none_fails() -> None:
    found = alerts(findings(WELL))
    assert set(found.values()) == {None}
    found_checks = {name.partition("/")[0] for name in found} - {"unreadable"}
    assert found_checks == {check.name for check in CHECKS} - {
        "pauses",
        "payments",
        "refunds",
        "terms",
        "unknown_sections",
        "guards",
        "drills",
        "proposed_terms",
    }


@pytest.mark.parametrize(
    ("refund", "message"),
    [
        (None, "The payment is not refunded."),
        (Refund("re_1", RefundState.SUCCEEDED), "The payment was refunded."),
        (Refund("re_1", RefundState.PENDING), "The refund re_1 is still pending."),
        (Refund("re_1", RefundState.FAILED, reason="declined"), "The refund re_1 is failed: declined."),
    ],
)
def test_an_undelivered_report_is_an_alert_with_the_state_of_its_refund(
    refund: Refund | None, message: str
) -> None:
    payment = Payment("cs_1", "pi_1", "job-1", "No history.", refund)
    found = holding(payments=PaymentFailures(undelivered=[payment]))

    assert found.keys() == {"payments/cs_1"}
    assert found["payments/cs_1"].detail == f"No history. {message}"
    assert found["payments/cs_1"].command == "rollcall job show job-1"


@pytest.mark.parametrize(
    ("state", "subject"),
    [
        (RefundState.FAILED, "A refund failed"),
        (RefundState.CANCELED, "A refund failed"),
        (RefundState.PENDING, "A refund has not arrived"),
    ],
)
def test_a_missing_refund_is_an_alert_beside_that_of_the_report(state: RefundState, subject: str) -> None:
    payment = Payment("cs_1", "pi_1", "job-1", "No history.", Refund("re_1", state))
    found = holding(payments=PaymentFailures(undelivered=[payment], unresolved_refunds=[payment]))

    assert found.keys() == {"payments/cs_1", "refunds/cs_1"}
    assert found["refunds/cs_1"].subject == subject
    assert "cs_1" in found["refunds/cs_1"].detail


@pytest.mark.parametrize("state", ["open", "half_open"])
def test_a_breaker_that_lets_not_everything_through_must_do_so_for_ten_minutes(state: Any) -> None:
    found = holding(breakers=[replace(CLOSED, state=state, failures=10)])
    assert list(found) == ["breakers/scraper"]
    assert found["breakers/scraper"].pending_for == 10 * MINUTE
    assert "41" in found["breakers/scraper"].detail


def test_a_breaker_that_is_held_open_says_by_whom_and_how_to_let_it_go() -> None:
    found = holding(breakers=[replace(CLOSED, name="mail", state="open", forced="open", forced_by="ada")])
    symptom = found["breakers/mail"]
    assert "ada" in symptom.detail
    assert symptom.command == "rollcall breaker reset mail"


@pytest.mark.parametrize(("by", "minutes", "holds"), [
    ("ada", 60, True), (ROLLCALL, 15, True), (ROLLCALL, -600, True),
])  # fmt: skip
def test_a_pause_is_a_failure_while_it_is_in_force_and_rollcalls_own_until_a_success(
    by: str,
    minutes: float,
    holds: bool,
) -> None:
    assert ("pauses/scraper" in holding(pauses=pause(by=by, minutes=minutes))) is holds


def test_a_pause_shows_its_reason_and_suppresses_its_consequences() -> None:
    silent = {"scraper": replace(HEARD, silent_since=NOW - 9 * HOUR)}
    found = holding(pauses=pause(), sources=silent, breakers=[replace(CLOSED, state="open")])
    assert list(found) == ["pauses/scraper"]
    assert "it refuses us" in found["pauses/scraper"].detail
    assert list(holding(pauses=pause("mail"), outbox=Backlog(3, NOW - HOUR, 0))) == ["pauses/mail"]


def test_dead_letters_are_counted_by_queue() -> None:
    found = holding(queues={"check": QueueStats(0, None, 3), "deliver": QueueStats(0, None, 1)})
    assert "3 in check, 1 in deliver" in found["dead_letters/queues"].detail


def test_lost_notifications_show_how_many_people_miss_them() -> None:
    assert "12 in the last hour. People who miss them: 9" in (
        holding(losses=Losses(12, 9))["losses/notifications"].detail
    )


@pytest.mark.parametrize(("expected_since", "succeeded_at", "holds"), [
    (NOW - 9 * HOUR, NOW - 61 * MINUTE, True),
    (NOW - 9 * HOUR, NOW - 60 * MINUTE, False),
    (NOW - 9 * HOUR, None, True),
    (NOW - 10 * MINUTE, None, False),  # a fresh installation
    (NOW - 10 * MINUTE, NOW - 9 * HOUR, False),
    (None, None, False),  # SCHEDULER=off, and no run was ever triggered over HTTP
    (None, NOW - 9 * HOUR, False),
])  # fmt: skip
def test_no_run_that_succeeded_in_two_intervals_however_many_finished(
    expected_since: datetime | None,
    succeeded_at: datetime | None,
    holds: bool,
) -> None:
    times = RunSchedule(expected_since, NOW, succeeded_at, NOW - HOUR)
    found = holding(runs=RunStatus(None, None, None, times))
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
    assert found["sources/scraper"].pending_for == 30 * MINUTE


@pytest.mark.parametrize(("free", "total", "holds"), [
    (2 * GIB, 20 * GIB, False), (GIB, 20 * GIB, True), (190_000_000, GIB, True), (210_000_000, GIB, False),
])  # fmt: skip
def test_a_disk_is_nearly_full_below_a_tenth_or_200_megabytes(free: int, total: int, holds: bool) -> None:
    assert ("disk/home" in holding(disk=Disk(Path("/var/lib/a home"), free, total))) is holds


def test_no_worker_must_be_missed_for_two_minutes() -> None:
    assert holding(processes=processes("worker"))["workers/none"].pending_for == 2 * MINUTE


def test_no_jobs_process_must_be_missed_for_two_minutes() -> None:
    assert holding(processes=processes("jobs"))["jobs/none"].pending_for == 2 * MINUTE


@pytest.mark.parametrize("check", [check.name for check in CHECKS if check.name not in PROBED])
def test_an_unreadable_state_is_a_finding_of_its_own(check: str) -> None:
    changes: dict[str, Any] = {FIELDS.get(check, check): Unavailable("ConnectionError: refused")}
    found = alerts(findings(replace(WELL, **changes)))
    symptom = found[f"unreadable/{check}"]
    assert symptom is not None
    assert (symptom.subject, symptom.pending_for) == (f"Cannot read {check}", 2 * MINUTE)
    assert "refused" in symptom.detail
    assert not [name for name in found if name.startswith(f"{check}/")]


@pytest.mark.parametrize("server", sorted(PROBED))
def test_a_server_that_does_not_serve_is_unhealthy(server: str) -> None:
    away: dict[str, Any] = {server: Unavailable("UnreachableError: READONLY")}
    found = findings(replace(WELL, **away))
    assert worst(found) is Severity.UNHEALTHY
    symptom = alerts(found)[f"{server}/server"]
    assert symptom is not None
    assert "READONLY" in symptom.detail


def test_one_cause_is_one_alert_however_much_it_makes_unreadable() -> None:
    away = Unavailable("UnreachableError: away")
    blind = dict.fromkeys(("redis", "broker", "database_errors", "processes", "breakers"), away)
    found = findings(replace(WELL, **blind, queues=away))  # type: ignore[arg-type]  # all may be away
    raised = {name for name, symptom in alerts(found).items() if symptom is not None}
    assert raised == {"redis/server", "broker/server"}
    assert all(finding.severity for finding in found if finding.is_unreadable)


@pytest.mark.parametrize(("count", "holds"), [(0, False), (2, False), (3, True)])
def test_a_database_that_breaks_some_requests_is_degraded(count: int, holds: bool) -> None:
    errors = DatabaseErrors(count, "OperationalError: prepared statement does not exist")
    found = findings(replace(WELL, database_errors=errors))
    assert (worst(found) is Severity.DEGRADED) is holds
    symptom = alerts(found)["database_errors/many"]
    assert (symptom is not None) is holds
    assert symptom is None or "prepared statement does not exist" in symptom.detail


def test_no_scheduler_is_unhealthy_and_an_alert_after_two_minutes() -> None:
    dead = processes("scheduler")
    assert worst(findings(replace(WELL, processes=dead))) is Severity.UNHEALTHY
    failure = holding(processes=dead)["scheduler/none"]
    assert failure.pending_for == 2 * MINUTE
    assert "No run starts by itself" in failure.detail
    assert "No run" not in holding(processes=dead, is_scheduled=False)["scheduler/none"].detail


@pytest.mark.parametrize(("age_seconds", "holds"), [(60, False), (61, True)])
def test_a_scheduler_that_is_alive_and_does_not_tick_is_stuck(age_seconds: float, holds: bool) -> None:
    found = holding(processes=processes(ticked_at=NOW - timedelta(seconds=age_seconds)))
    assert (list(found) == ["scheduler/stuck"]) is holds


@pytest.mark.parametrize(("queue", "age_seconds", "holds"), [
    ("deliver", 60, False), ("deliver", 61, True), ("check", 301, False),
])  # fmt: skip
def test_a_queue_is_stuck_when_its_oldest_message_waits_too_long(
    queue: str, age_seconds: float, holds: bool
) -> None:
    found = holding(queues={queue: QueueStats(1, age_seconds, 0)})
    assert (list(found) == ["queues/stuck"]) is holds


@pytest.mark.parametrize(
    ("age_seconds", "answered_at", "holds"),
    [
        (1500.0, NOW, False),  # a long run, in progress
        (299.0, NOW - HOUR, False),  # a run whose first answers are still to come
        (301.0, NOW - HOUR, True),
        (301.0, None, True),
    ],
)
def test_section_checks_may_wait_for_as_long_as_catalogs_answer(
    age_seconds: float, answered_at: datetime | None, holds: bool
) -> None:
    sources = {"scraper": replace(HEARD, last_success_at=answered_at)}
    found = holding(queues={"check": QueueStats(5, age_seconds, 0)}, sources=sources)
    assert ("queues/stuck" in found) is holds


def test_section_checks_may_not_wait_long_where_no_answer_is_known() -> None:
    found = holding(queues={"check": QueueStats(5, 301.0, 0)}, sources=Unavailable("away"))
    assert "queues/stuck" in found


def test_runs_are_not_late_while_every_catalog_is_paused() -> None:
    late = replace(TIMES, succeeded_at=NOW - 5 * HOUR)
    found = holding(runs=RunStatus(None, None, None, late), pauses=pause())
    assert list(found) == ["pauses/scraper"]


def test_a_late_run_says_why_the_last_one_checked_nothing() -> None:
    late = replace(TIMES, succeeded_at=NOW - 5 * HOUR)
    idle = Run(
        "r", "schedule", Stagger.ALL, NOW, RunState.FINISHED, NOW, "scraper: HTTP 503", 30, deferred=30
    )
    assert "scraper: HTTP 503" in holding(runs=RunStatus(None, idle, None, late))["runs/late"].detail


def test_the_last_error_stands_in_the_alerts_of_its_breaker_source_and_mail() -> None:
    failed = replace(CLOSED, state="open", last_error="UpstreamError: HTTP 503", last_error_at=NOW)
    silent = {"scraper": replace(HEARD, silent_since=NOW - 3 * HOUR)}
    mail = replace(failed, name="mail", state="closed")
    found = holding(breakers=[failed, mail], sources=silent, outbox=Backlog(7, NOW - HOUR, 0))
    for name in ("breakers/scraper", "sources/scraper", "outbox/stuck"):
        assert "The last error at 2026-01-15 09:00 UTC: UpstreamError: HTTP 503." in found[name].detail


def test_names_of_checks_and_subjects_are_unique() -> None:
    names = [finding.name for finding in findings(WELL)]
    assert len(names) == len(set(names))


def test_a_term_that_seems_over_is_proposed_to_be_ended() -> None:
    gone = {("scraper", "2257"): Presence(50, 50, NOW - 30 * HOUR)}
    found = holding(terms=gone)
    assert found.keys() == {"terms/scraper/2257"}
    message = found["terms/scraper/2257"]
    assert message.subject == "The term 2257 of scraper seems to be over"
    assert message.command == "rollcall term end scraper 2257"
    assert "None of its 50 watched sections is listed since 2026-01-14 03:00 UTC." in message.detail
    assert holding(terms=gone, pauses=pause()).keys() == {"pauses/scraper"}


@pytest.mark.parametrize(
    ("clocks", "said"),
    [
        ({"north": 86_400.0}, "The clock of north is 86400 s ahead of Redis'."),
        ({"north": -5.4}, "The clock of north is 5 s behind Redis'."),
        ({"database": 60.0}, "The clock of the database is 60 s ahead of this host's."),
    ],
)
def test_clocks_that_disagree_are_an_alert_for_each(clocks: dict[str, float], said: str) -> None:
    ((name, symptom),) = holding(clocks=clocks).items()
    assert name == f"clocks/{next(iter(clocks))}"
    assert symptom.detail.startswith(said)
    assert symptom.command == "timedatectl"


def test_clocks_may_differ_by_what_a_beat_may_take() -> None:
    assert holding(clocks={"north": 5.0, "south": -4.9, "database": 0.0}) == {}


def test_sections_that_were_never_listed_are_an_alert_and_no_illness() -> None:
    unknown = {"scraper": UnknownSections(3, "2261/99999")}
    found = holding(unknown_sections=unknown)
    assert found.keys() == {"unknown_sections/scraper"}
    assert found["unknown_sections/scraper"].subject == "scraper does not list 3 watched sections"
    assert "2261/99999" in found["unknown_sections/scraper"].detail
