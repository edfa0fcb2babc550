from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from domain.observation import Details
from store.database import Database
from store.schema import sections
from store.sections.search import Search, SectionStatus
from tests.store.desk import Desk

Find = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def find(database: Database) -> Find:
    """The numbers that a search finds, and the watches of each."""

    def found(text: str = "", look: SectionStatus | None = None) -> list[tuple[str, int]]:
        page, _ = Search(database).sections(text, look, limit=100)
        return [(each.state.key.number, each.watches) for each in page]

    return found


def test_sections_are_found_by_number_course_and_title(desk: Desk, find: Find) -> None:
    for number, title in (("12430", "Algebra"), ("12431", "Real 100% Analysis"), ("22430", "Topology")):
        desk.watch(number)
        desk.check(replace(desk.seen(1, number=number), details=Details("MATH 20", title)))
    assert [number for number, _ in find("124")] == ["12430", "12431"]
    assert [number for number, _ in find("aNaLySiS")] == ["12431"]
    assert [number for number, _ in find("math 2")] == ["12430", "12431", "22430"]
    assert [number for number, _ in find("100%")] == ["12431"]
    assert find("%") == [("12431", 1)]
    assert find("nothing like it") == []


def test_each_comes_with_its_active_watches(desk: Desk, find: Find) -> None:
    desk.watch("12430")
    ended = desk.watch("12430", "grace@example.edu")
    desk.watches.end(ended.id, "stopped", desk.clock.now())
    desk.watch("12431")
    desk.watch("12431", "grace@example.edu")
    assert find() == [("12430", 1), ("12431", 2)]


def test_they_are_distinguished_by_their_looks(desk: Desk, find: Find) -> None:
    for number in ("1", "2", "3", "4", "5"):
        desk.watch(number)
    desk.check(desk.seen(2, number="1"))
    desk.check(desk.seen(2, number="5"))
    with desk.database.write() as connection:
        connection.execute(update(sections).where(sections.c.number == "5").values(retired=True))
    desk.check(desk.seen(0, number="2"))
    desk.clock.advance(1)
    desk.check(desk.missing(number="2"))
    desk.check(desk.seen(None, "Ada", number="3"))
    looks = {look: [number for number, _ in find("", look)] for look in SectionStatus}
    assert looks == {
        SectionStatus.OPEN: ["1"],
        SectionStatus.FULL: [],
        SectionStatus.UNKNOWN: ["3", "4"],
        SectionStatus.MISSING: ["2"],
        SectionStatus.RETIRED: ["5"],
    }


def test_they_come_in_pages(desk: Desk, database: Database) -> None:
    for number in range(5):
        desk.watch(str(number))
    seen, after = [], None
    while True:
        page, after = Search(database).sections("", None, after=after, limit=2)
        seen += [each.state.key.number for each in page]
        if after is None:
            break
    assert seen == ["0", "1", "2", "3", "4"]
