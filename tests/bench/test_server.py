from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.replay.season import TERM, Reading, Timeline
from bench.replay.server import ReplayServer

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
    server.time_ms = 100
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

    server.time_ms = 199
    assert (seats(), seats()) == (-1, -1)
    server.time_ms = 200
    assert seats() == 2


def test_a_section_not_yet_in_the_catalog_is_not_found(server: ReplayServer) -> None:
    server.time_ms = 99
    assert scrape(server).status_code == 404


@pytest.mark.parametrize("wrong", [{"section": "13"}, {"term": "FA22"}])
def test_an_unknown_section_or_term_is_not_found(server: ReplayServer, wrong: dict[str, str]) -> None:
    server.time_ms = 200
    assert scrape(server, **wrong).status_code == 404


def test_a_wrong_token_is_refused(server: ReplayServer) -> None:
    assert scrape(server, token="another").status_code == 401


def test_it_counts_its_answers_by_status(server: ReplayServer) -> None:
    server.time_ms = 100
    for section in ("12", "12", "13"):
        scrape(server, section=section)
    assert server.answers == {200: 2, 404: 1}
