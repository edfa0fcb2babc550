from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from observability.checks import findings
from observability.checks.snapshot import SystemSnapshot
from observability.checks.summary import Light, StatusSummary, summarize
from observability.checks.unavailable import Unavailable
from resilience.breaker_model import BreakerSnapshot
from resilience.queues import QueueStats
from store.notifications.outbox import Backlog
from store.pauses import Pause
from tests.observability.checks.states import HEARD, HOUR, NOW, TIMES, WELL

AWAY = Unavailable("away")


def summary(**changes: Any) -> StatusSummary:
    state: SystemSnapshot = replace(WELL, **changes)
    return summarize(findings(state))


def pause(name: str) -> dict[str, Pause]:
    return {name: Pause(name, NOW + HOUR, "a flood", "ada", NOW)}


def opened(name: str) -> list[BreakerSnapshot]:
    return [BreakerSnapshot(name, "open", 10, 0, 60, NOW, None, "fleet")]


def test_when_all_is_well_it_is_said_in_a_few_words() -> None:
    judged = summary()
    assert (judged.health, judged.light, list(judged.failures)) == ("healthy", Light.OK, [])
    assert judged.sentence == "Polling; sending; draining."


@pytest.mark.parametrize(
    ("changes", "which", "light", "text"),
    [
        ({"workers": []}, "polling", Light.DOWN, "not polling: no worker is alive"),
        ({"workers": []}, "sending", Light.DOWN, "not sending: no worker is alive"),
        ({"workers": []}, "draining", Light.DOWN, "not draining: no worker is alive"),
        ({"workers": AWAY}, "polling", Light.UNKNOWN, "polling unknown: cannot read workers"),
        ({"jobs": 0}, "draining", Light.TROUBLE, "draining in trouble: no jobs process is alive"),
        ({"schedulers": 0}, "polling", Light.DOWN, "not polling: no scheduler is alive"),
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
        ({"workers": []}, "unhealthy"),
        ({"schedulers": 0}, "unhealthy"),
        ({"redis": AWAY}, "unhealthy"),
        ({"jobs": 0}, "degraded"),
    ],
)
def test_the_worst_severity_is_the_health(changes: dict[str, Any], health: str) -> None:
    assert summary(**changes).health == health
