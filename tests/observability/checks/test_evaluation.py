from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.alert import AlertMessage
from domain.check import Check, Result, degraded, healthy, unhealthy
from observability.checks import findings
from observability.checks.evaluation import Light, StatusSummary, examine, summarize
from observability.checks.snapshot import SystemSnapshot, Unavailable
from resilience.breaker_model import BreakerSnapshot
from resilience.queues import QueueStats
from store.notifications.outbox import Backlog
from store.pauses import Pause
from tests.observability.checks.states import HEARD, HOUR, NOW, TIMES, WELL, processes

AWAY = Unavailable("away")


def summary(**changes: Any) -> StatusSummary:
    state: SystemSnapshot = replace(WELL, **changes)
    return summarize(findings(state))


def pause(name: str) -> dict[str, Pause]:
    return {name: Pause(name, NOW + HOUR, "a flood", "ada", NOW)}


def opened(name: str) -> list[BreakerSnapshot]:
    return [BreakerSnapshot(name, "open", 10, 0, 60, NOW, None, "fleet")]


def test_a_healthy_system_is_summarised_in_three_words() -> None:
    result = summary()
    assert (result.health, result.light, list(result.failures)) == ("healthy", Light.OK, [])
    assert result.sentence == "Polling; sending; draining."


@pytest.mark.parametrize(
    ("changes", "which", "light", "text"),
    [
        ({"processes": processes("worker")}, "polling", Light.DOWN, "not polling: no worker is alive"),
        ({"processes": processes("worker")}, "sending", Light.DOWN, "not sending: no worker is alive"),
        ({"processes": processes("worker")}, "draining", Light.DOWN, "not draining: no worker is alive"),
        ({"processes": AWAY}, "polling", Light.UNKNOWN, "polling unknown: cannot read workers"),
        (
            {"processes": processes("jobs")},
            "draining",
            Light.TROUBLE,
            "draining in trouble: no jobs process is alive",
        ),
        ({"processes": processes("scheduler")}, "polling", Light.DOWN, "not polling: no scheduler is alive"),
        ({"sources": AWAY}, "polling", Light.UNKNOWN, "polling unknown: cannot read runs"),
        (
            {"runs": replace(WELL.runs, times=replace(TIMES, succeeded_at=NOW - 5 * HOUR))},  # type: ignore[arg-type]  # WELL's are read
            "polling",
            Light.TROUBLE,
            "polling in trouble: no run has succeeded in two intervals",
        ),
        (
            {"sources": {"scraper": replace(HEARD, silent_since=NOW - HOUR)}},
            "polling",
            Light.TROUBLE,
            "polling in trouble: the source scraper is silent",
        ),
        (
            {"pauses": pause("scraper")},
            "polling",
            Light.PAUSED,
            "polling is paused: the source scraper is paused",
        ),
        (
            {"breakers": opened("scraper")},
            "polling",
            Light.TROUBLE,
            "polling in trouble: the breaker of scraper is open",
        ),
        ({"pauses": pause("mail")}, "sending", Light.PAUSED, "sending is paused: mail is paused"),
        (
            {"breakers": opened("mail")},
            "sending",
            Light.TROUBLE,
            "sending in trouble: the breaker of mail is open",
        ),
        (
            {"breakers": opened("stripe")},
            "draining",
            Light.TROUBLE,
            "draining in trouble: the breaker of stripe is open",
        ),
        ({"outbox": AWAY}, "sending", Light.UNKNOWN, "sending unknown: cannot read outbox"),
        (
            {"outbox": Backlog(7, NOW - HOUR, 0)},
            "sending",
            Light.TROUBLE,
            "sending in trouble: delivery is stuck",
        ),
        ({"outbox": Backlog(7, NOW, 0)}, "sending", Light.OK, "sending"),
        ({"queues": AWAY}, "draining", Light.UNKNOWN, "draining unknown: cannot read queues"),
        (
            {"queues": {"check": QueueStats(0, None, 3)}},
            "draining",
            Light.TROUBLE,
            "draining in trouble: messages are dead",
        ),
    ],
)
def test_the_worst_finding_of_a_part_speaks_for_it(
    changes: dict[str, Any], which: str, light: Light, text: str
) -> None:
    found = getattr(summary(**changes), which)
    assert (found.light, found.text) == (light, text)


def test_a_paused_source_is_neither_silent_nor_broken() -> None:
    silent = {"scraper": replace(HEARD, silent_since=NOW - HOUR)}
    held = summary(sources=silent, breakers=opened("scraper"), pauses=pause("scraper"))
    assert held.polling.light is Light.PAUSED
    assert [failure.subject for failure in held.failures] == ["The source scraper is paused"]


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({"pauses": pause("mail")}, "degraded"),
        ({"breakers": opened("mail")}, "degraded"),
        ({"processes": processes("worker")}, "unhealthy"),
        ({"processes": processes("scheduler")}, "unhealthy"),
        ({"redis": AWAY}, "unhealthy"),
        ({"processes": processes("jobs")}, "degraded"),
    ],
)
def test_the_worst_severity_is_the_health(changes: dict[str, Any], health: str) -> None:
    assert summary(**changes).health == health


def check(
    name: str, read: Callable[[None], Iterable[Result]], *needs: str, limit_seconds: float = 10
) -> Check[None]:
    return Check(name, read, command="restart it", needs=needs, limit_seconds=limit_seconds)


def found(name: str, result: Result, *needs: str) -> Check[None]:
    return check(name, lambda _: [result], *needs)


def failures(checks: Sequence[Check[None]]) -> dict[str, AlertMessage]:
    return {each.check.name: each.failure for each in examine(checks, None) if each.failure is not None}


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_findings_come_in_the_order_of_the_checks_whatever_they_need() -> None:
    results = examine([found("b", healthy("well"), "a"), found("a", healthy("well"))], None)
    assert [each.name for each in results if each.is_about_subject] == ["b", "a"]


def test_a_check_that_raises_is_unreadable() -> None:
    def read(_: None) -> Iterable[Result]:
        raise OSError("no such thing")

    failure = failures([check("a", read)])["a"]
    assert (failure.subject, failure.command) == ("Cannot read a", "restart it")
    assert "no such thing" in failure.detail


def test_a_check_that_never_answers_is_unreadable_and_delays_no_other(never: threading.Event) -> None:
    def read(_: None) -> Iterable[Result]:
        never.wait(60)
        return [healthy("at last")]

    begun = time.monotonic()
    failing = failures([check("a", read, limit_seconds=0.05), found("b", healthy("well"))])
    assert list(failing) == ["a"]
    assert "no answer within 0.05 s" in failing["a"].detail
    assert time.monotonic() - begun < 10


def test_checks_run_concurrently() -> None:
    both = threading.Barrier(2)

    def read(_: None) -> Iterable[Result]:
        both.wait(10)
        return [healthy("met")]

    assert failures([check("a", read), check("b", read)]) == {}


def test_a_check_that_needs_an_unhealthy_one_is_not_read() -> None:
    read: list[str] = []

    def note(_: None) -> Iterable[Result]:
        read.append("c")
        return [healthy("well")]

    checks = [
        found("a", degraded("slow", "wait")),
        found("b", unhealthy("down", "start it")),
        check("c", note, "a", "b"),
        found("d", healthy("well"), "a"),
    ]
    results = {each.check.name: each for each in examine(checks, None) if each.failure is not None}
    assert {name: each.cause for name, each in results.items()} == {"a": "", "b": "", "c": "b"}
    assert read == []
