"""`rollcall watch check`, against the scraper stand-in and the real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.support.commands import run
from tests.support.redis_server import running, valkey_binary

SECTION = ("scraper", "2261", "12431")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def scraper() -> Iterator[ScraperStandin]:
    with ScraperStandin() as found:
        yield found


@pytest.fixture
def settings(scraper: ScraperStandin) -> Iterator[dict[str, str]]:
    with running(valkey_binary()) as server:
        yield {"SCRAPER_URL": scraper.url, "SCRAPER_SECRET_TOKEN": TOKEN, "REDIS_URL": server.url}


def checked(home: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    done = run(home, "watch", "check", *SECTION, "--json", *arguments, **settings)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    found: dict[str, Any] = row
    return found


def listed(home: Path, *command: str, **settings: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run(home, *command, "--json", **settings).stdout)
    return rows


def test_a_dry_run_shows_the_answer_and_stores_nothing(home: Path, settings: dict[str, str]) -> None:
    assert run(home, "watch", "add", "ada@example.edu", *SECTION[1:], **settings).returncode == 0
    found = checked(home, "--dry-run", **settings)
    assert found.pop("observed_at")
    assert found == {
        "section": "scraper/2261/12431",
        "answer": "found",
        "open_seats": 3,
        "capacity": 40,
        "instructor": "Ada Okoye",
        "course": "CSE 110",
        "title": "Principles of Programming",
        "location": "Tempe - COOR 170",
        "meeting_times": "MW 10:30-11:45",
        "stored": False,
    }
    assert listed(home, "watch", "ls", **settings)[0]["observed_at"] is None
    assert listed(home, "cron", "ls", **settings) == []


def test_without_it_the_answer_is_stored_and_a_change_is_news(
    home: Path, scraper: ScraperStandin, settings: dict[str, str]
) -> None:
    assert run(home, "watch", "add", "ada@example.edu", *SECTION[1:], **settings).returncode == 0
    scraper.set_default(Reply(fields={"seats_available": 0}))
    assert checked(home, **settings)["stored"] is True
    scraper.set_default(Reply(fields={"seats_available": 2}))
    checked(home, **settings)
    assert listed(home, "watch", "ls", **settings)[0]["open_seats"] == 2
    assert [row["kind"] for row in listed(home, "mail", "ls", **settings)] == ["seat_available"]
    assert [run["state"] for run in listed(home, "cron", "ls", **settings)] == ["finished", "finished"]


def test_what_no_one_watches_can_only_be_inspected(home: Path, settings: dict[str, str]) -> None:
    refused = run(home, "watch", "check", *SECTION, **settings)
    assert (refused.returncode, "a dry run can check it" in refused.stderr) == (1, True)
    assert checked(home, "--dry-run", **settings)["open_seats"] == 3


def test_a_section_that_the_catalog_does_not_know_is_not_found(
    home: Path, scraper: ScraperStandin, settings: dict[str, str]
) -> None:
    scraper.set_default(Reply(kind="status", status=404))
    assert run(home, "watch", "add", "ada@example.edu", *SECTION[1:], **settings).returncode == 0
    found = checked(home, **settings)
    assert (found["answer"], found["stored"]) == ("not found", False)
    assert listed(home, "cron", "ls", **settings) == []


def test_a_failure_is_one_line_and_an_open_breaker_is_heeded(
    home: Path, scraper: ScraperStandin, settings: dict[str, str]
) -> None:
    scraper.set_default(Reply(kind="status", status=503))
    failed = run(home, "watch", "check", *SECTION, "--dry-run", **settings)
    assert (failed.returncode, failed.stderr.count("\n")) == (75, 1)
    assert "HTTP 503" in failed.stderr
    asked = scraper.stats.requests
    assert run(home, "breaker", "open", "scraper", **settings).returncode == 0
    refused = run(home, "watch", "check", *SECTION, "--dry-run", **settings)
    assert (refused.returncode, "refuses requests" in refused.stderr) == (75, True)
    assert scraper.stats.requests == asked


def test_an_unknown_source_is_named(home: Path, settings: dict[str, str]) -> None:
    refused = run(home, "watch", "check", "nowhere", "2261", "12431", "--dry-run", **settings)
    assert refused.stderr == "rollcall: source must be one of scraper\n"
