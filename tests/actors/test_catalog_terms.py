"""The list of terms of a polled catalog, from the poll to the operator's choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from domain.errors import InvalidInputError
from domain.term import TermState
from operations import status, terms
from operations.new_watches import ADD_BY_LINK
from tests.actors.polling import TERM, Polling, polling
from tests.operations.journal import do
from tests.standins.banner9 import row
from tests.standins.server import Answer
from tests.support.harness import sqlite_url

NEXT = "202720"


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm") as found:
        found.schools[0].show(n10001=0)
        yield found


def states(place: Polling) -> dict[str, TermState]:
    found = place.rollcall.services.store.catalog_terms.all("elm")
    return {each.term.code: each.state for each in found}


def publish(place: Polling, *rows: str) -> None:
    site = place.schools[0].site
    site.terms.insert(0, (NEXT, "Spring 2027"))
    site.rows += [row(crn, term=NEXT) for crn in rows]


def test_a_term_in_use_is_polled_without_watches_and_its_catalog_lists_terms(place: Polling) -> None:
    place.poll()
    assert states(place) == {}
    do(place.rollcall, terms.USE, source="elm", term=TERM)
    place.poll()
    assert states(place) == {TERM: TermState.CURRENT, "202640": TermState.LISTED}
    assert place.schools[0].seats("10001") == 0
    with pytest.raises(InvalidInputError, match="elm does not list 209910; it lists 202710"):
        do(place.rollcall, terms.USE, source="elm", term="209910")
    added = do(place.rollcall, ADD_BY_LINK, email="ada@example.edu", link="10001").value
    assert added.stored.watch.key.term == TERM


def test_the_next_term_is_proposed_once_it_has_sections(place: Polling) -> None:
    do(place.rollcall, terms.USE, source="elm", term=TERM)
    place.poll()
    publish(place)
    for rows, proposed in (([], {}), (["20001"], {("elm", NEXT): "Spring 2027"})):
        place.schools[0].site.rows += [row(crn, term=NEXT) for crn in rows]
        place.poll(90_000)
        assert status.proposed_terms(place.rollcall.services) == proposed
    do(place.rollcall, terms.USE, source="elm", term=NEXT)
    assert states(place) == {NEXT: TermState.CURRENT, TERM: TermState.PAST, "202640": TermState.LISTED}
    place.poll(90_000)
    assert status.proposed_terms(place.rollcall.services) == {}


def test_a_list_that_cannot_be_read_changes_nothing(place: Polling) -> None:
    do(place.rollcall, terms.USE, source="elm", term=TERM)
    place.poll()
    before = states(place)
    place.schools[0].site.failing["classSearch/getTerms"] = Answer(503, b"<html>Scheduled maintenance</html>")
    place.poll(90_000)
    assert (states(place), place.schools[0].seats("10001")) == (before, 0)
