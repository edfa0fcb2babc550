from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from catalogs.scraper import Scraper
from domain.section import SectionKey
from tests.standins.scraper import TOKEN, ScraperStandin
from tests.support.clock import FakeClock


def keys(*numbers: str) -> list[SectionKey]:
    return [SectionKey("scraper", "2261", number) for number in numbers]


def wait_until(condition: Callable[[], bool], deadline_seconds: float = 30) -> None:
    give_up_at = time.monotonic() + deadline_seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.005)


@pytest.fixture
def service() -> Iterator[ScraperStandin]:
    with ScraperStandin() as standin:
        yield standin


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_scraper(service: ScraperStandin, clock: FakeClock) -> Iterator[Callable[..., Scraper]]:
    made: list[Scraper] = []

    def make(**settings: Any) -> Scraper:
        defaults: dict[str, Any] = {"url": service.url, "token": TOKEN, "clock": clock}
        made.append(Scraper(**defaults | settings))
        return made[-1]

    yield make
    for scraper in made:
        scraper.close()


@pytest.fixture
def scraper(make_scraper: Callable[..., Scraper]) -> Scraper:
    return make_scraper()
