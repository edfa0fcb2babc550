from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from ingress.console.now import NowView, fragments
from observability.checks.snapshot import Unavailable
from operations import status
from operations.status import Trends
from resilience.heartbeats import Task, ThreadTask
from resilience.queues import QueueStats
from tests.ingress.site import Reports, Site, web_context

DARK = Unavailable("UnreachableError: no lamp")


def _words(html: str) -> str:
    return " ".join(re.sub(r"(?s)<svg.*?</svg>|<[^>]+>", " ", html).split())


def _parts(site: Site) -> dict[str, str]:
    room = site.rollcall.admin
    drawn = fragments(status.read(room), status.read_trends(room.services))
    return {name: _words(html) for name, html in drawn.items()}


def test_the_page_answers_the_three_questions_first(site: Site, guest: httpx.Client) -> None:
    site.rollcall.admin.heartbeats.beat("worker", "host:1", {})
    site.rollcall.admin.heartbeats.beat("scheduler", "host:2", {})
    site.rollcall.admin.heartbeats.beat("jobs", "host:3", {})
    text = guest.get("/console/").text
    assert "<h1>Polling; sending; draining.</h1>" in text
    assert text.index("<h1>") < text.index("<h2")


def test_no_worker_is_the_first_thing_to_read(site: Site) -> None:
    parts = _parts(site)
    assert "no worker is alive" in parts["verdict"]
    assert parts["announcement"] in parts["verdict"]
    assert "no worker is alive" in parts["workers"]


def test_an_age_that_the_broker_does_not_report_is_unknown(site: Site) -> None:
    room = site.rollcall.admin
    queues = {"check": QueueStats(5, None, 0, is_age_known=False), "deliver": QueueStats(0, None, 0)}
    drawn = fragments(status.read(replace(room, queues=lambda: queues)), status.read_trends(room.services))
    assert "check 5 unknown 0 deliver 0" in _words(drawn["queues"])
    assert _words(drawn["queues"]).count("unknown") == 1


def test_every_slot_is_shown_with_what_it_does(site: Site) -> None:
    now_ms = int(site.rollcall.clock.now().timestamp() * 1000)
    busy = ThreadTask(1, Task("sections.check", "check", "m-1", now_ms))
    site.rollcall.admin.heartbeats.beat("worker", "host:1", {}, (ThreadTask(0), busy))
    assert "0 idle 1 sections.check check" in _parts(site)["workers"]


def test_a_pause_a_breaker_and_a_lease_show_by_whom(site: Site) -> None:
    rollcall = site.rollcall
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause(
        rollcall.catalog.name, now + timedelta(hours=1), "a move", "ada", now
    )
    rollcall.services.breakers["mail"].force_open("grace")
    rollcall.services.cron_lease.acquire("t", {"host": "alan"})
    parts = _parts(site)
    assert "by ada: a move" in parts["sources"]
    assert "held by grace" in parts["breakers"]
    assert "Held by host alan" in parts["lease"]


def test_a_run_shows_from_asked_to_finished(site: Site) -> None:
    assert "never" in _parts(site)["runs"]
    site.rollcall.watch("12430")
    site.rollcall.run()
    assert "finished all , 1 checked" in _parts(site)["runs"]


def test_what_cannot_be_read_is_unknown_and_never_zero(site: Site) -> None:
    read = status.read(site.rollcall.admin)
    parts = (
        "runs",
        "processes",
        "queues",
        "breakers",
        "lease",
        "sources",
        "pauses",
        "outbox",
        "alerts",
    )
    blind = replace(read, **dict.fromkeys(parts, DARK))  # type: ignore[arg-type]
    drawn = {name: _words(html) for name, html in fragments(blind, Trends(DARK, DARK)).items()}
    for name in ("alerts", "trend", "runs", "mail", "sources", "breakers", "queues", "workers", "lease"):
        assert "unknown: UnreachableError: no lamp" in drawn[name], name
        assert not re.search(r"\b0\b", drawn[name]), name


@pytest.mark.parametrize("part", ["verdict", "sources", "breakers", "alerts"])
def test_no_state_is_reported_by_colour_alone(site: Site, part: str) -> None:
    drawn = fragments(status.read(site.rollcall.admin), status.read_trends(site.rollcall.services))
    for found in re.findall(r'class="(?:mark|tag) [a-z]+"[^>]*>(.*?)</(?:svg|span)>', drawn[part], re.DOTALL):
        assert found.strip()


def test_what_people_wrote_is_text_and_no_markup(site: Site) -> None:
    rollcall = site.rollcall
    now = rollcall.clock.now()
    name = "<script>alert(1)</script>"
    rollcall.services.store.pauses.pause(rollcall.catalog.name, now + timedelta(hours=1), name, name, now)
    drawn = fragments(status.read(rollcall.admin), status.read_trends(rollcall.services))
    assert "<script" not in drawn["sources"]
    assert "&lt;script&gt;" in drawn["sources"]


def test_the_trends_are_summed_up_twice_a_minute_only(site: Site) -> None:
    rollcall = site.rollcall
    drawing = NowView(web_context(rollcall, Reports()))
    before = drawing()["trend"]
    rollcall.watch("12430")
    rollcall.run()
    assert drawing()["trend"] == before
    rollcall.clock.advance(30)
    assert drawing()["trend"] != before
