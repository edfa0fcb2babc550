from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.replay.season import TERM, Check, Reading, Timeline
from bench.replay.server import Fault, Faults, ReplayServer

TOKEN = "token-of-the-scraper"
SEASON = {
    "12": Timeline(
        (100, 200),
        (
            Reading("MATH 20C", "A01", "Staff", -1, 40),
            Reading("MATH 20C", "A01", "Okoye, Ada", 2, 40),
        ),
    )
}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(SEASON, TOKEN) as server:
        yield server


def scrape(
    server: ReplayServer, *, section: str = "12", term: str = TERM, token: str = TOKEN
) -> httpx.Response:
    question = {"sectionNumber": section, "term": term}
    return httpx.post(f"{server.url}/scrape", json=question, headers={"Authorization": f"Bearer {token}"})


def test_it_answers_in_the_scrapers_contract(server: ReplayServer) -> None:
    server.show(Check(100, "even"))
    assert scrape(server).json() == {
        "success": True,
        "data": {
            "subject": "MATH",
            "catalog_nbr": "20C",
            "title": "MATH 20C A01",
            "instructor": "Staff",
            "seats_available": -1,
            "seats_capacity": 40,
            "non_reserved_seats": None,
            "location": "",
            "meeting_times": "",
        },
    }


def test_its_time_stands_until_it_is_set(server: ReplayServer) -> None:
    def seats() -> Any:
        return scrape(server).json()["data"]["seats_available"]

    server.show(Check(199, "even"))
    assert (seats(), seats()) == (-1, -1)
    server.show(Check(200, "even"))
    assert seats() == 2


def test_a_section_not_yet_in_the_catalog_is_not_found(server: ReplayServer) -> None:
    server.show(Check(99, "even"))
    assert scrape(server).status_code == 404


@pytest.mark.parametrize("wrong", [{"section": "13"}, {"term": "FA22"}])
def test_an_unknown_section_or_term_is_not_found(server: ReplayServer, wrong: dict[str, str]) -> None:
    server.show(Check(200, "even"))
    assert scrape(server, **wrong).status_code == 404


def test_a_wrong_token_is_refused(server: ReplayServer) -> None:
    assert scrape(server, token="another").status_code == 401


def test_it_counts_its_answers_by_status(server: ReplayServer) -> None:
    server.show(Check(100, "even"))
    for section in ("12", "12", "13"):
        scrape(server, section=section)
    assert server.answers == {200: 2, 404: 1}


def test_it_holds_what_each_section_was_reported_at_each_moment(server: ReplayServer) -> None:
    for time_ms in (99, 100):
        server.show(Check(time_ms, "even"))
        server.show(Check(200, "odd"))
        scrape(server)
    assert server.statuses == {("12", 99): 404, ("12", 100): 200}


class Always(Faults):
    """Fails in one way."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(hang_seconds=0.5)
        self.fault = fault

    def draw(self) -> Fault | None:
        return self.fault


def test_a_failure_reports_nothing() -> None:
    with ReplayServer(SEASON, TOKEN, Always("error")) as server:
        server.show(Check(100, "even"))
        assert scrape(server).status_code == 500
    assert server.statuses == {}
    assert (server.answers, server.failures) == ({}, {"error": 1})


@pytest.mark.parametrize("fault", ["cut_off", "hang"])
def test_an_answer_may_be_cut_off_at_once_or_late(fault: Fault) -> None:
    with ReplayServer(SEASON, TOKEN, Always(fault)) as server, pytest.raises(httpx.RemoteProtocolError):
        scrape(server)


def test_without_a_ratio_nothing_fails() -> None:
    faults = Faults()
    assert {faults.draw() for _ in range(1000)} == {None}


def test_the_ratio_is_kept_and_every_kind_comes() -> None:
    faults = Faults(ratio=0.1, seed=1)
    drawn = [faults.draw() for _ in range(10_000)]
    assert 900 < sum(fault is not None for fault in drawn) < 1100
    assert set(drawn) == {None, "error", "hang", "cut_off"}


def test_the_same_seed_fails_alike() -> None:
    one, other = Faults(ratio=0.5, seed=7), Faults(ratio=0.5, seed=7)
    assert [one.draw() for _ in range(100)] == [other.draw() for _ in range(100)]
