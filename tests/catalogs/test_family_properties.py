"""No family shows a seat that is not open: its responses are cut and changed. Polls without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs import colleague_answers, hcx_answers
from catalogs.answers import decode
from catalogs.colleague_answers import SectionsAnswer
from catalogs.family import Answer, CatalogIdentity, CatalogRequest, Session, run_exchange
from catalogs.hcx_shapes import ClassDetails, Row
from domain.errors import RollcallError
from domain.observation import Observation
from providers.http import HttpResponse
from tests.catalogs.driving import AT, directly, rows
from tests.catalogs.kits import KITS, Kit, read, set_free
from tests.catalogs.recordings import recorded
from tests.standins.catalog import CatalogStandin

Change = Callable[[bytes], bytes]
Reading = Callable[[bytes], list[Observation]]
LATER_RESPONSES = 4
"""Of the first responses of a poll, one is changed."""
every_kit = pytest.mark.parametrize("kit", KITS, ids=lambda kit: kit.name)

DOUBT: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers(-9, 0) | st.text(max_size=3) | st.just([]) | st.just({})
)
"""Values that state no free seat."""


def places(tree: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in `tree`."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, child in children:
        yield (*path, name)
        yield from places(child, (*path, name))


def mutated(body: bytes, data: st.DataObject) -> bytes:
    """`body` with one value or word replaced by one that states no seat, or with a part cut out."""
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(body)))
        return body[:start] + body[data.draw(st.integers(start, len(body))) :]
    try:
        tree = json.loads(body)
    except ValueError:
        return reworded(body, data)
    if not (paths := list(places(tree))):
        return body
    *path, last = data.draw(st.sampled_from(paths))
    parent = tree
    for name in path:
        parent = parent[name]
    if data.draw(st.booleans()) or not isinstance(parent, dict):
        parent[last] = data.draw(DOUBT)
    else:
        del parent[last]
    return json.dumps(tree).encode()


def reworded(page: bytes, data: st.DataObject) -> bytes:
    """`page` with another word in place of one."""
    spans = [found.span() for found in re.finditer(rb"[\w-]+", page)]
    start, end = data.draw(st.sampled_from(spans))
    word = data.draw(st.sampled_from([b"0", b"1", b"30", b"-1", b"x", b""]))
    return page[:start] + word + page[end:]


def poll(kit: Kit, standin: CatalogStandin, change: Change, place: int = 0) -> list[Answer]:
    """The answers about every section, with `change` made to the body of the response at `place`."""
    send, catalog, places = directly(standin), kit.catalog(standin), count()

    def altered(request: CatalogRequest) -> HttpResponse:
        found = send(request)
        if next(places) == place:
            found.body = change(found.body)
        return found

    units = catalog.plan(kit.term.code, kit.watched(*kit.sections, kit.absent))
    return read(catalog, units, Session(), lambda each: run_exchange(each, altered))


@every_kit
@given(data=st.data())
def test_no_cut_or_mutated_answer_of_full_sections_shows_a_seat(kit: Kit, data: st.DataObject) -> None:
    standin = kit.campus(free=0)
    set_free(standin, kit.sections[2], 3)  # an empty list of open sections would be a fault
    place = data.draw(st.integers(0, LATER_RESPONSES))
    try:
        found = poll(kit, standin, lambda body: mutated(body, data), place)
    except RollcallError:
        return
    assert not [seen.key for seen in rows(found) if seen.open_seats and seen.key.number != kit.sections[2]]


@every_kit
@given(place=st.integers(0, LATER_RESPONSES), share=st.floats(0, 0.999))
def test_no_truncated_answer_is_read_otherwise(kit: Kit, place: int, share: float) -> None:
    def truncated(body: bytes) -> bytes:
        return body[: int(len(body) * share)]

    standin = kit.campus()
    whole = rows(poll(kit, standin, bytes))
    try:
        found = rows(poll(kit, standin, truncated, place))
    except RollcallError:
        return
    assert {seen.key: seen.open_seats for seen in found} == {seen.key: seen.open_seats for seen in whole}


# Recorded answers


def hcx_reading(text: str, term: str, *, is_row: bool) -> tuple[bytes, Reading]:
    reader = hcx_answers.Reader(CatalogIdentity("campus", UTC), term, AT)
    body, _ = json.JSONDecoder().raw_decode(text)
    if is_row:
        return json.dumps(body).encode(), lambda each: reader.rows([decode(each, Row, "HighPoint")])
    number = str(body["section_info"]["class_details"]["class_number"])
    return json.dumps(body).encode(), lambda each: [
        reader.details(decode(each, ClassDetails, "HighPoint"), number)
    ]


def colleague_reading(text: str) -> tuple[bytes, Reading]:
    def reading(body: bytes) -> list[Observation]:
        found = decode(body, SectionsAnswer, "Colleague").SectionsRetrieved
        return colleague_answers.observations(found, "campus", "FA26", AT)

    return text.encode(), reading


RECORDED: dict[str, Callable[[str], tuple[bytes, Reading]]] = {
    "hcx-2-uva-classdetails-open-consent.json": lambda text: hcx_reading(text, "1232", is_row=False),
    "hcx-5-bu-section-open-engek100.json": lambda text: hcx_reading(text, "2248", is_row=True),
    "colleague-1-kishwaukee-sections-amt116-open.json": colleague_reading,
}


@pytest.mark.parametrize("name", RECORDED)
def test_no_cut_or_mutated_recorded_answer_shows_more_seats(name: str) -> None:
    body, reading = RECORDED[name](recorded(name).decode())
    stated = {seen.key: seen.open_seats or 0 for seen in reading(body)}
    assert any(stated.values())

    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        try:
            found = reading(mutated(body, data))
        except RollcallError:
            return
        for seen in found:  # a changed number is another section
            assert (seen.open_seats or 0) <= stated.get(seen.key, seen.open_seats or 0)

    check()
