from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from domain.observation import Details
from store.database import Database
from store.schema import sections
from store.sections.observations import add_listed
from store.sections.search import Search, SectionQuery, SectionStatus
from tests.store.harness import StoreHarness

Find = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def find(database: Database) -> Find:
    """The numbers that a search finds, and the watches of each."""

    def found(text: str = "", look: SectionStatus | None = None, **options: Any) -> list[tuple[str, int]]:
        page, _ = Search(database).sections(SectionQuery(text, look, **options), limit=100)
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
    assert find("%") == []
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
        page, after = Search(database).sections(SectionQuery(), after=after, limit=2)
        seen += [each.state.key.number for each in page]
        if after is None:
            break
    assert seen == ["0", "1", "2", "3", "4"]


def test_words_are_found_in_any_order_by_their_beginnings(store: StoreHarness, find: Find) -> None:
    number = "CIS-1200-001"
    store.watch(number)
    seen = store.observation(1, "Okoye, Ada", number=number)
    store.check(replace(seen, details=Details("CIS 1200", "Algorithms & Données")))
    for words in (
        *("algo", "DONNÉES algorithms", "okoye", "ada cis", "cis1200", "cis 1200", "CIS-1200", "1200 001"),
        *(f"{seen.key.term} okoye", 'ada" OR "x', "cis-1200-001"),
    ):
        expected = [] if "OR" in words else [(number, 1)]
        assert find(words) == expected, words
    assert find("lgorithms") == find("ada turing") == find("-") == find('"') == []


def test_what_changes_is_found_by_its_new_words_only(store: StoreHarness, find: Find) -> None:
    store.watch("1")
    store.check(replace(store.observation(1, "Okoye, Ada", number="1"), details=Details("CS 1", "Logic")))
    store.clock.advance(60)
    store.check(replace(store.observation(1, "Hopper, G", number="1"), details=Details("CS 1", "Proofs")))
    assert find("logic") == find("okoye") == []
    assert find("proofs hopper") == [("1", 1)]
    with store.database.write() as connection:
        connection.execute(update(sections).values(open_seats=7))
        assert find("proofs") == [("1", 1)]


def test_sections_that_were_never_watched_can_be_left_out(store: StoreHarness, find: Find) -> None:
    store.watch("1")
    seen = [replace(store.observation(1, number=number), details=Details("CS 1", "Logic")) for number in "12"]
    with store.database.write() as connection:
        add_listed(connection, seen[1:], store.clock.now())
    store.check(seen[0])
    assert find("logic") == [("1", 1), ("2", 0)]
    assert find("logic", is_watched=True) == find(is_watched=True) == [("1", 1)]
    with store.database.write() as connection:
        connection.execute(delete(sections).where(sections.c.number == "2"))
    assert find("logic") == [("1", 1)]


def test_a_search_reads_the_full_text_index(database: Database, store: StoreHarness) -> None:
    store.watch("1")
    statements: list[str] = []
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        query = str(
            Search(database)
            .query(SectionQuery("logic"))
            .compile(connection.engine, compile_kwargs={"literal_binds": True})
        )
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        statements += [
            str(row) for row in connection.execute(text(f"{explain} {query}".replace(":*", "\\:*")))
        ]
    plan = " ".join(statements)
    assert ("section_search" if database.is_sqlite else "ix_sections_words") in plan
    assert "SCAN sections" not in plan
