from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.expectations import RunTimes, SourceReading
from operations.status import RunReading, Status
from operations.unread import Unread
from operations.verdicts import Light, judge
from resilience.heartbeat import Heartbeat
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from store.outbox import Backlog
from store.pauses import Pause

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = RunTimes(NOW - 9 * HOUR, NOW - HOUR / 4, NOW - HOUR / 4, NOW - HOUR)
SOURCE = SourceReading(NOW, None, None, HOUR)
WELL = Status(
    now=NOW,
    runs=RunReading(None, None, NOW + HOUR, TIMES),
    workers=[Heartbeat("worker", "a:1", {}, 0.1)],
    schedulers=1,
    jobs=1,
    queues={"check": QueueReading(0, None, 0), "deliver": QueueReading(0, None, 0)},
    breakers=[],
    lease=None,
    sources={"scraper": SOURCE},
    pauses={},
    outbox=Backlog(0, None, 0),
    alerts=[],
    transport="preview",
    is_scheduled=True,
)
UNREAD = Unread("away")


def pause(name: str) -> dict[str, Pause]:
    return {name: Pause(name, NOW + HOUR, "a flood", "ada", NOW)}


def opened(name: str) -> list[BreakerSnapshot]:
    return [BreakerSnapshot(name, "open", 10, 0, 60, NOW, None, "fleet")]


def test_when_all_is_well_it_is_said_in_a_few_words() -> None:
    judged = judge(WELL)
    assert (judged.health, judged.light) == ("healthy", Light.OK)
    assert judged.sentence == "Polling; sending; draining."


@pytest.mark.parametrize(
    ("changes", "which", "light", "word"),
    [
        ({"workers": []}, "polling", Light.DOWN, "no worker is alive"),
        ({"workers": []}, "sending", Light.DOWN, "no worker is alive"),
        ({"workers": []}, "draining", Light.DOWN, "no worker is alive"),
        ({"workers": UNREAD}, "polling", Light.UNKNOWN, "nobody knows who works"),
        ({"jobs": 0}, "draining", Light.TROUBLE, "no jobs process is alive"),
        ({"schedulers": 0}, "polling", Light.DOWN, "no scheduler is alive"),
        ({"sources": UNREAD}, "polling", Light.UNKNOWN, "database"),
        ({"runs": UNREAD}, "polling", Light.UNKNOWN, "database"),
        (  # `WELL.runs` might be `Unread` for its type, and is not
            {"runs": replace(WELL.runs, times=replace(TIMES, succeeded_at=NOW - 5 * HOUR))},  # type: ignore[arg-type]
            "polling",
            Light.TROUBLE,
            "no run has succeeded",
        ),
        (
            {"sources": {"scraper": replace(SOURCE, silent_since=NOW - HOUR)}},
            "polling",
            Light.TROUBLE,
            "silent since 08:00",
        ),
        ({"pauses": pause("scraper")}, "polling", Light.PAUSED, "paused until 10:00 UTC by ada"),
        ({"breakers": opened("scraper")}, "polling", Light.TROUBLE, "its breaker is open"),
        ({"pauses": pause("mail")}, "sending", Light.PAUSED, "mail does not leave"),
        ({"breakers": opened("mail")}, "sending", Light.TROUBLE, "its breaker is open"),
        ({"outbox": UNREAD}, "sending", Light.UNKNOWN, "database"),
        ({"outbox": Backlog(7, NOW - HOUR, 0)}, "sending", Light.TROUBLE, "7 letters wait"),
        ({"outbox": Backlog(7, NOW, 0)}, "sending", Light.OK, "(7 wait)"),
        ({"queues": UNREAD}, "draining", Light.DOWN, "cannot be read"),
        ({"queues": {"deliver": QueueReading(5, 61.0, 0)}}, "draining", Light.TROUBLE, "deliver has waited"),
        ({"queues": {"check": QueueReading(0, None, 3)}}, "draining", Light.TROUBLE, "3 dead letters"),
        (
            {"queues": {"check": QueueReading(5, None, 0, is_age_known=False)}},
            "draining",
            Light.OK,
            "nobody knows how long check has waited",
        ),
    ],
)
def test_what_is_wrong_speaks_for_it(changes: dict[str, Any], which: str, light: Light, word: str) -> None:
    verdict = getattr(judge(replace(WELL, **changes)), which)
    assert verdict.light is light
    assert word in verdict.text


@pytest.mark.parametrize(
    ("age_seconds", "heard_at", "light"),
    [
        (1500.0, NOW, Light.OK),  # a long run, at work
        (299.0, NOW - HOUR, Light.OK),  # a run whose first answers are still to come
        (301.0, NOW - HOUR, Light.TROUBLE),
        (301.0, None, Light.TROUBLE),
    ],
)
def test_checks_may_wait_for_as_long_as_their_run_gets_on(
    age_seconds: float, heard_at: datetime | None, light: Light
) -> None:
    queues = {"check": QueueReading(5, age_seconds, 0)}
    sources = {"scraper": replace(SOURCE, last_success_at=heard_at)}
    assert judge(replace(WELL, queues=queues, sources=sources)).draining.light is light


def test_checks_of_which_nobody_knows_whether_they_get_on_may_not_wait_long() -> None:
    stuck = replace(WELL, queues={"check": QueueReading(5, 301.0, 0)}, sources=UNREAD)
    assert judge(stuck).draining.light is Light.TROUBLE


def test_a_paused_source_is_neither_silent_nor_broken() -> None:
    silent = {"scraper": replace(SOURCE, silent_since=NOW - HOUR)}
    held = replace(WELL, sources=silent, breakers=opened("scraper"), pauses=pause("scraper"))
    assert judge(held).polling.light is Light.PAUSED


@pytest.mark.parametrize(
    ("change", "health"),
    [
        (lambda found: replace(found, pauses=pause("mail")), "degraded"),
        (lambda found: replace(found, breakers=opened("mail")), "degraded"),
        (lambda found: replace(found, outbox=UNREAD), "unhealthy"),
        (lambda found: replace(found, workers=[]), "unhealthy"),
        (lambda found: replace(found, jobs=0), "degraded"),
    ],
)
def test_the_worst_light_is_the_health(change: Callable[[Status], Status], health: str) -> None:
    assert judge(change(WELL)).health == health


def test_runs_that_nobody_times_need_no_scheduler() -> None:
    assert judge(replace(WELL, schedulers=0, is_scheduled=False)).polling.light is Light.OK
