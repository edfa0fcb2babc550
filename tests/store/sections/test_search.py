from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from domain.observation import Details
from store.database import Database
from store.schema import sections
from store.sections.search import Search, SectionStatus
from tests.store.harness import StoreHarness

Find = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def find(database: Database) -> Find:
    """The numbers that a search finds, and the watches of each."""

    def found(text: str = "", look: SectionStatus | None = None) -> list[tuple[str, int]]:
        page, _ = Search(database).sections(text, look, limit=100)
        return [(each.state.key.number, each.watches) for each in page]

    return found


def test_sections_are_found_by_number_course_and_title(store: StoreHarness, find: Find) -> None:
    for number, title in (("12430", "Algebra"), ("12431", "Real 100% Analysis"), ("22430", "Topology")):
        store.watch(number)
        store.check(replace(store.observation(1, number=number), details=Details("MATH 20", title)))
    assert [number for number, _ in find("124")] == ["12430", "12431"]
    assert [number for number, _ in find("aNaLySiS")] == ["12431"]
    assert [number for number, _ in find("math 2")] == ["12430", "12431", "22430"]
    assert [number for number, _ in find("100%")] == ["12431"]
    assert find("%") == [("12431", 1)]
    assert find("nothing like it") == []


def test_each_comes_with_its_active_watches(store: StoreHarness, find: Find) -> None:
    store.watch("12430")
    ended = store.watch("12430", "grace@example.edu")
    store.watches.end(ended.id, "stopped", store.clock.now())
    store.watch("12431")
    store.watch("12431", "grace@example.edu")
    assert find() == [("12430", 1), ("12431", 2)]


def test_they_are_distinguished_by_their_looks(store: StoreHarness, find: Find) -> None:
    for number in ("1", "2", "3", "4", "5"):
        store.watch(number)
    store.check(store.observation(2, number="1"))
    store.check(store.observation(2, number="5"))
    with store.database.write() as connection:
        connection.execute(update(sections).where(sections.c.number == "5").values(retired=True))
    store.check(store.observation(0, number="2"))
    store.clock.advance(1)
    store.check(store.missing(number="2"))
    store.check(store.observation(None, "Ada", number="3"))
    looks = {look: [number for number, _ in find("", look)] for look in SectionStatus}
    assert looks == {
        SectionStatus.OPEN: ["1"],
        SectionStatus.FULL: [],
        SectionStatus.UNKNOWN: ["3", "4"],
        SectionStatus.MISSING: ["2"],
        SectionStatus.RETIRED: ["5"],
    }


def test_they_come_in_pages(store: StoreHarness, database: Database) -> None:
    for number in range(5):
        store.watch(str(number))
    seen, after = [], None
    while True:
        page, after = Search(database).sections("", None, after=after, limit=2)
        seen += [each.state.key.number for each in page]
        if after is None:
            break
    assert seen == ["0", "1", "2", "3", "4"]
