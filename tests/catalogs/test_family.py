"""The contract of a family, kept by each that has a stand-in with the same faults, over HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs import asu, banner9, colleague, hcx
from catalogs.banner9_requests import BannerOptions
from catalogs.client import CatalogClient
from catalogs.colleague_requests import ColleagueOptions
from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    CatalogRequest,
    Family,
    FamilyOptions,
    Session,
    WatchedSection,
    run_exchange,
)
from catalogs.hcx_requests import HcxOptions
from domain.catalog import CatalogFault, CatalogTerm, fault_of
from domain.errors import RollcallError
from domain.observation import Observation
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.driving import AT, answers, directly, numbers, rows
from tests.catalogs.test_client import Turns
from tests.standins import banner9 as banner
from tests.standins.asu import AsuStandin
from tests.standins.catalog import (
    EVERY_ROUTE,
    FORBIDDEN,
    MAINTENANCE,
    NOT_FOUND,
    RATE_LIMITED,
    SIGN_IN,
    STALLED,
    UNAVAILABLE,
    WELCOME,
    CampusSection,
    CampusStandin,
    CatalogStandin,
)
from tests.standins.colleague import ColleagueStandin
from tests.standins.hcx import INSTITUTION, NODE, SITE, HcxStandin
from tests.standins.server import Answer as HttpAnswer
from tests.support.clock import FakeClock


@dataclass(frozen=True)
class Kit:
    """A family and its stand-in: two sections of `course` and one of another, with 3 free seats each.

    Shape: `rows` is the route of the rows, `session_lost` what it answers to a session that it does not know.
    """

    name: str
    family: Family[Any]
    open: Callable[[Sequence[str]], CatalogStandin]
    options: Callable[[CatalogStandin], FamilyOptions]
    term: CatalogTerm
    course: str
    sections: tuple[str, str, str]
    rows: str
    lost: HttpAnswer | None
    lost_fault: CatalogFault = CatalogFault.SESSION
    lists_term: bool = True

    def catalog(self, standin: CatalogStandin) -> Catalog:
        return self.family.build(CatalogIdentity("campus", UTC), self.options(standin))

    def key(self, number: str) -> SectionKey:
        return SectionKey("campus", self.term.code, number)

    def watched(self, *numbers: str) -> list[WatchedSection]:
        return [WatchedSection(self.key(each), self.course) for each in numbers or self.sections[:2]]

    def campus(self, free: int = 3) -> CatalogStandin:
        standin = self.open(self.sections)
        for number in self.sections:
            set_free(standin, number, free)
        return standin


def set_free(standin: CatalogStandin, number: str, seats: int) -> None:
    if isinstance(standin, CampusStandin):
        section = standin.section(number)
        section.enrolled = section.capacity - seats
    elif isinstance(standin, banner.Banner9Standin):
        (row,) = (each for each in standin.rows if each["courseReferenceNumber"] == number)
        row["seatsAvailable"] = seats


def open_banner(numbers: Sequence[str]) -> CatalogStandin:
    first, second, other = numbers
    return banner.Banner9Standin(
        banner.row(first, "CS 1110"), banner.row(second, "CS 1110"), banner.row(other, "ART 100")
    )


def campus(numbers: Sequence[str]) -> list[CampusSection]:
    first, second, other = numbers
    return [CampusSection(first), CampusSection(second), CampusSection(other, "ART 100", "Drawing")]


def base_url(standin: Any) -> FamilyOptions:
    return FamilyOptions(base_url=standin.base_url)


def hcx_options(standin: CatalogStandin) -> FamilyOptions:
    return HcxOptions(base_url=standin.url, site=SITE, node=NODE, institution=INSTITUTION)


SESSIONLESS = HttpAnswer(200, b'{"success":true,"totalCount":0,"data":null,"pathMode":null}')
TO_LOGIN = HttpAnswer(302, b"", headers={"Location": "/psp/ihprd/?cmd=login"})
KITS = [
    Kit(
        "banner9", banner9.FAMILY, open_banner,
        lambda standin: BannerOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("202710", "Fall 2026"), "CS 1110", ("10001", "10002", "10003"),
        "searchResults/searchResults", SESSIONLESS,
    ),
    Kit(
        "hcx", hcx.FAMILY, lambda numbers: HcxStandin(*campus(numbers)), hcx_options,
        CatalogTerm("1268", "2026 Fall"), "CS 1110", ("10001", "10002", "10003"),
        "ClassSearch", TO_LOGIN, CatalogFault.SIGN_IN,
    ),
    Kit(
        "colleague", colleague.FAMILY, lambda numbers: ColleagueStandin(*campus(numbers)),
        lambda standin: ColleagueOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("26FA", "Fall 2026"), "CS-1110", ("CS-1110-01", "CS-1110-02", "ART-100-01"),
        "Sections", HttpAnswer(400, b"token"), lists_term=False,
    ),
    Kit(
        "asu", asu.FAMILY, lambda numbers: AsuStandin(*campus(numbers)), base_url,
        CatalogTerm("2267", "Fall 2026"), "CS 1110", ("10001", "10002", "10003"),
        "classes", None,
    ),
]  # fmt: skip


@pytest.fixture(params=KITS, ids=lambda kit: kit.name)
def kit(request: pytest.FixtureRequest) -> Kit:
    found: Kit = request.param
    return found


@pytest.fixture
def served() -> Iterator[Callable[[CatalogStandin], CatalogClient]]:
    """Serves a stand-in, and returns a client of it."""
    with ExitStack() as stack:

        def serve(standin: CatalogStandin, timeout_seconds: float = 20.0) -> CatalogClient:
            stack.enter_context(standin)
            return CatalogClient(
                "campus",
                standin.url,
                user_agent="Rollcall/1",
                gate=Turns(),
                clock=FakeClock(),
                timeout_seconds=timeout_seconds,
            )

        yield serve


Serve = Callable[..., CatalogClient]


def poll(kit: Kit, standin: CatalogStandin, client: CatalogClient, *numbers: str) -> list[Answer]:
    catalog = kit.catalog(standin)
    return answers(catalog, catalog.plan(kit.term.code, kit.watched(*numbers)), client.session, client.run)


def of(number: str, found: list[Answer]) -> Observation:
    return next(seen for seen in rows(found) if seen.key.number == number)


# What a healthy catalog states


def test_the_first_term_is_listed_with_its_label(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin)
    first, second = client.run(kit.catalog(standin).terms(client.session))
    assert first == kit.term
    assert second.code != first.code


def test_watched_sections_are_observed_with_their_texts_decoded(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    found = poll(kit, standin, served(standin))
    seen = of(kit.sections[0], found)
    assert (seen.key, seen.open_seats, seen.is_counted) == (kit.key(kit.sections[0]), 3, True)
    assert (seen.details.course, seen.details.title) == (kit.course, "Programming & Proofs")
    assert seen.instructor in {"Ada Lovelace", "Lovelace, Ada"}
    assert set(numbers(found)) >= set(kit.sections[:2])
    assert standin.agents == {"Rollcall/1"}


def test_a_seat_that_opens_and_fills_is_seen_in_the_same_session(kit: Kit, served: Serve) -> None:
    standin = kit.campus(free=0)
    client, number = served(standin), kit.sections[0]
    counts = []
    for free in (0, 2, 0, -4):
        set_free(standin, number, free)
        counts.append(of(number, poll(kit, standin, client)).open_seats)
    assert counts == [0, 2, 0, 0]


def test_a_section_that_does_not_exist_is_absent_with_proof(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    absent = "CS-1110-99" if kit.name == "colleague" else "99999"
    found = poll(kit, standin, served(standin), kit.sections[0], absent)
    assert absent not in numbers(found)
    assert all(answer.observations or answer.proof for answer in found)


def test_a_whole_term_is_listed_where_the_catalog_can(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client, catalog = served(standin), kit.catalog(standin)
    assert catalog.capabilities.lists_term == kit.lists_term
    if kit.lists_term:
        found = answers(catalog, catalog.plan(kit.term.code, None), client.session, client.run)
        assert sorted(numbers(found)) == sorted(kit.sections)


@pytest.mark.parametrize("text", ["CS 1110", "drawing"])
def test_sections_are_found_by_course_and_by_title(kit: Kit, served: Serve, text: str) -> None:
    standin = kit.campus()
    if isinstance(standin, banner.Banner9Standin):
        standin.rows[2]["courseTitle"] = "Drawing"
    client = served(standin)
    found = client.run(kit.catalog(standin).search(kit.term.code, text, client.session, AT))
    expected = kit.sections[:2] if text == "CS 1110" else kit.sections[2:]
    assert [seen.key.number for seen in found] == list(expected)


def test_reserved_seats_are_not_open_in_the_row_or_in_its_details(kit: Kit, served: Serve) -> None:
    standin, number = kit.campus(), kit.sections[0]
    if isinstance(standin, CampusStandin):
        standin.section(number).reserved = 3
    elif isinstance(standin, banner.Banner9Standin):
        standin.rows[0]["reservedSeatSummary"] = {"seatsAvailableUnreserved": 0}
    client, catalog = served(standin), kit.catalog(standin)
    seen = of(number, poll(kit, standin, client))
    if details := catalog.details(seen):
        seen = of(number, answers(catalog, [details], client.session, client.run))
    assert seen.open_seats == 0
    assert catalog.details(seen) is None


def test_a_session_that_expires_is_opened_again(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin)
    poll(kit, standin, client)
    standin.expire()
    assert set(numbers(poll(kit, standin, client))) >= set(kit.sections[:2])


# The forms of one platform


FORMS = [
    ("hcx", "as_array", True),
    ("hcx", "is_counted", False),
    ("hcx", "page_rows", 1),
    ("hcx", "combined", {"10001"}),
    ("colleague", "page_courses", 1),
    ("asu", "as_hits", True),
    ("asu", "is_exact", False),
    ("asu", "page_rows", 1),
]
"""The name of a family, and an attribute of its stand-in with another value."""


@pytest.mark.parametrize(("name", "attribute", "value"), FORMS)
def test_each_form_of_a_platform_is_read_alike(
    served: Serve, name: str, attribute: str, value: object
) -> None:
    kit = next(each for each in KITS if each.name == name)
    standin = kit.campus()
    setattr(standin, attribute, value)
    client = served(standin)
    seen = rows(poll(kit, standin, client, *kit.sections[:2]))
    assert {each.key.number: each.open_seats for each in seen} == dict.fromkeys(kit.sections[:2], 3)


def test_the_newer_interface_of_colleague_is_read_alike(served: Serve) -> None:
    kit = next(each for each in KITS if each.name == "colleague")
    standin = kit.campus()
    client = served(standin)
    options = msgspec.structs.replace(kit.options(standin), interface="async")
    catalog = kit.family.build(CatalogIdentity("campus", UTC), options)
    found = answers(catalog, catalog.plan(kit.term.code, kit.watched()), client.session, client.run)
    assert [seen.open_seats for seen in rows(found)] == [3, 3]
    assert "SectionsAsync" in standin.routes


def test_banner_is_read_around_a_row_that_it_cannot_return(served: Serve) -> None:
    kit = next(each for each in KITS if each.name == "banner9")
    standin = kit.campus()
    assert isinstance(standin, banner.Banner9Standin)
    standin.unreadable = {kit.sections[1]}
    found = poll(kit, standin, served(standin))
    assert numbers(found) == [kit.sections[0]]
    assert found[0].total == 2  # so the section that is left out is not missing


# Faults


FAULTS = {
    CatalogFault.BLOCKED: FORBIDDEN,
    CatalogFault.RATE_LIMITED: RATE_LIMITED,
    CatalogFault.MAINTENANCE: MAINTENANCE,
    CatalogFault.SIGN_IN: SIGN_IN,
    CatalogFault.UNAVAILABLE: UNAVAILABLE,
    CatalogFault.ROUTE_GONE: NOT_FOUND,
    CatalogFault.SCHEMA: WELCOME,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_everywhere", [True, False], ids=["everywhere", "rows"])
def test_each_fault_is_told_apart_and_the_next_poll_recovers(
    kit: Kit, served: Serve, fault: CatalogFault, is_everywhere: bool
) -> None:
    standin = kit.campus()
    client = served(standin)
    standin.failing[EVERY_ROUTE if is_everywhere else kit.rows] = FAULTS[fault]
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) is fault
    if fault is CatalogFault.RATE_LIMITED:
        assert isinstance(client.gate, Turns)
        assert client.gate.holds == [7]
    standin.failing.clear()
    assert set(numbers(poll(kit, standin, client))) >= set(kit.sections[:2])


def test_a_response_that_stalls_ends_at_the_time_limit(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin, timeout_seconds=0.5)
    standin.failing[kit.rows] = STALLED
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) is CatalogFault.UNAVAILABLE


def test_a_session_that_the_catalog_never_knows_is_a_fault(kit: Kit, served: Serve) -> None:
    if kit.lost is None:
        pytest.skip("this catalog has no sessions")
    standin = kit.campus()
    standin.failing[kit.rows] = kit.lost
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, served(standin))
    assert fault_of(caught.value) is kit.lost_fault


@pytest.mark.parametrize(
    ("switch", "value", "fault"),
    [
        ("missing_rows", 2, CatalogFault.PARTIAL),
        ("has_repeats", True, CatalogFault.PARTIAL),
        ("other_term", "1999", CatalogFault.WRONG_TERM),
    ],
)
def test_a_doubtful_answer_is_a_fault(
    kit: Kit, served: Serve, switch: str, value: object, fault: CatalogFault
) -> None:
    standin = kit.campus()
    client = served(standin)
    poll(kit, standin, client)
    setattr(standin, switch, value)
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) is fault


def test_a_search_that_suddenly_finds_nothing_proves_no_absence(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin)
    poll(kit, standin, client)
    standin.is_empty = True
    if kit.name == "banner9":  # its empty answers are proved by their search mode
        (answer,) = poll(kit, standin, client)
        assert answer.total == 0
        return
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) in {CatalogFault.PARTIAL, CatalogFault.WRONG_TERM}


# No false open seat

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
    """`body` with one value replaced by one that states no seat, or with a part cut out."""
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(body)))
        return body[:start] + body[data.draw(st.integers(start, len(body))) :]
    tree = json.loads(body)
    *path, last = data.draw(st.sampled_from(list(places(tree)) or [(0,)]))
    parent = tree
    for name in path:
        parent = parent[name]
    if data.draw(st.booleans()) or not isinstance(parent, dict):
        parent[last] = data.draw(DOUBT)
    else:
        del parent[last]
    return json.dumps(tree).encode()


@pytest.mark.parametrize("kit", KITS, ids=lambda kit: kit.name)
@given(data=st.data())
def test_no_cut_or_mutated_answer_of_a_full_campus_shows_a_seat(kit: Kit, data: st.DataObject) -> None:
    standin = kit.campus(free=0)
    send, catalog, session = directly(standin), kit.catalog(standin), Session()

    def altered(request: CatalogRequest) -> HttpResponse:
        found = send(request)
        if standin.routes[-1] in {kit.rows, "ClassDetails", "PostSearchCriteria"}:
            found.body = mutated(found.body, data)
        return found

    for unit in catalog.plan(kit.term.code, kit.watched()):
        try:
            found = answers(catalog, [unit], session, lambda each: run_exchange(each, altered))
        except RollcallError:
            continue
        assert not any(seen.open_seats for seen in rows(found))
