"""The contract of a family, kept by each that has a stand-in with the same faults, over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC

import msgspec
import pytest

from catalogs.client import CatalogClient
from catalogs.family import (
    Answer,
    CatalogIdentity,
)
from domain.catalog import CatalogFault, fault_of
from domain.errors import RollcallError
from domain.observation import Observation
from tests.catalogs.driving import AT, answers, numbers, rows
from tests.catalogs.kits import KITS, Kit, kit_of, read, set_free
from tests.catalogs.test_client import Turns
from tests.standins import banner9 as banner
from tests.standins.catalog import (
    DRIPPING,
    EVERY_ROUTE,
    FORBIDDEN,
    MAINTENANCE,
    NOT_FOUND,
    RATE_LIMITED,
    SIGN_IN,
    STALLED,
    UNAVAILABLE,
    WELCOME,
    CampusStandin,
    CatalogStandin,
)
from tests.standins.server import Answer as HttpAnswer
from tests.support.clock import FakeClock


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
    return read(catalog, catalog.plan(kit.term.code, kit.watched(*numbers)), client.session, client.run)


def of(number: str, found: list[Answer]) -> Observation:
    """The section as its details show it, or its row where there are none."""
    return [seen for seen in rows(found) if seen.key.number == number][-1]


# What a healthy catalog states


def test_the_first_term_is_listed_with_its_label(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin)
    first, *others = client.run(kit.catalog(standin).terms(client.session))
    assert first == kit.term
    assert kit.term.code not in {each.code for each in others}


def test_watched_sections_are_observed_with_their_texts_decoded(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    found = poll(kit, standin, served(standin))
    seen = of(kit.sections[0], found)
    assert (seen.key, seen.is_counted) == (kit.key(kit.sections[0]), kit.is_counted)
    assert seen.open_seats == kit.seats(3)
    assert (seen.details.course, seen.details.title) == (kit.course, "Programming & Proofs")
    assert "lovelace" in (seen.instructor or "").casefold()
    assert set(numbers(found)) >= set(kit.sections[:2])
    assert standin.agents == {"Rollcall/1"}


def test_a_seat_that_opens_and_fills_is_seen_in_the_same_session(kit: Kit, served: Serve) -> None:
    standin = kit.campus(free=0)
    client, number = served(standin), kit.sections[0]
    counts = []
    for free in (0, 2, 0, -4):
        set_free(standin, number, free)
        counts.append(of(number, poll(kit, standin, client)).open_seats)
    assert counts == [0, kit.seats(2), 0, 0]


def test_a_section_that_does_not_exist_is_absent_with_proof(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    found = poll(kit, standin, served(standin), kit.sections[0], kit.absent)
    assert kit.absent not in numbers(found)
    assert all(answer.observations or answer.proof for answer in found)


def test_a_whole_term_is_listed_where_the_catalog_can(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client, catalog = served(standin), kit.catalog(standin)
    assert catalog.capabilities.lists_term == kit.lists_term
    if kit.lists_term:
        found = answers(catalog, catalog.plan(kit.term.code, None), client.session, client.run)
        assert sorted(numbers(found)) == sorted(kit.sections)


def test_sections_are_found_by_course_and_by_title(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    if isinstance(standin, banner.Banner9Standin):
        standin.rows[2]["courseTitle"] = "Drawing"
    client = served(standin)
    for text, expected in ((kit.by_course, kit.sections[:2]), (kit.by_title, kit.sections[2:])):
        found = client.run(kit.catalog(standin).search(kit.term.code, text, client.session, AT))
        assert [seen.key.number for seen in found] == list(expected)


def test_reserved_seats_are_not_open_in_the_row_or_in_its_details(kit: Kit, served: Serve) -> None:
    standin, number = kit.campus(), kit.sections[0]
    if not kit.states_reserved:
        pytest.skip("the platform does not state reserved seats")
    if isinstance(standin, CampusStandin):
        standin.section(number).reserved = 3
    elif isinstance(standin, banner.Banner9Standin):
        standin.rows[0]["reservedSeatSummary"] = {"seatsAvailableUnreserved": 0}
    seen = of(number, poll(kit, standin, served(standin)))
    assert seen.open_seats == 0
    assert kit.catalog(standin).details(seen) is None


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
    kit = kit_of(name)
    standin = kit.campus()
    setattr(standin, attribute, value)
    client = served(standin)
    seen = rows(poll(kit, standin, client, *kit.sections[:2]))
    assert {each.key.number: each.open_seats for each in seen} == dict.fromkeys(kit.sections[:2], 3)


def test_the_newer_interface_of_colleague_is_read_alike(served: Serve) -> None:
    kit = kit_of("colleague")
    standin = kit.campus()
    client = served(standin)
    options = msgspec.structs.replace(kit.options(standin), interface="async")
    catalog = kit.family.build(CatalogIdentity("campus", UTC), options)
    found = answers(catalog, catalog.plan(kit.term.code, kit.watched()), client.session, client.run)
    assert [seen.open_seats for seen in rows(found)] == [3, 3]
    assert "SectionsAsync" in standin.routes


def test_banner_is_read_around_a_row_that_it_cannot_return(served: Serve) -> None:
    kit = kit_of("banner9")
    standin = kit.campus()
    assert isinstance(standin, banner.Banner9Standin)
    standin.unreadable = {kit.sections[1]}
    client, catalog = served(standin), kit.catalog(standin)
    found = answers(catalog, catalog.plan(kit.term.code, kit.watched()), client.session, client.run)
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


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_the_list_of_terms_is_told_apart(kit: Kit, served: Serve, fault: CatalogFault) -> None:
    standin = kit.campus()
    client = served(standin)
    standin.failing[kit.terms] = FAULTS[fault]
    with pytest.raises(RollcallError) as caught:
        client.run(kit.catalog(standin).terms(client.session))
    assert fault_of(caught.value) is fault


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (HttpAnswer(401, b""), CatalogFault.BLOCKED),
        (HttpAnswer(503, b"", headers={"Retry-After": "7"}), CatalogFault.RATE_LIMITED),
        (MAINTENANCE._replace(status=503), CatalogFault.MAINTENANCE),
        (HttpAnswer(302, b"", headers={"Location": "/cas/login?service=x"}), CatalogFault.SIGN_IN),
        (HttpAnswer(302, b"", headers={"Location": "/outage.html"}), CatalogFault.MAINTENANCE),
    ],
)
def test_a_fault_in_another_form_is_the_same(
    kit: Kit, served: Serve, answer: HttpAnswer, fault: CatalogFault
) -> None:
    standin = kit.campus()
    standin.failing[kit.rows] = answer
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, served(standin))
    assert fault_of(caught.value) is fault


def test_a_robots_txt_that_forbids_the_catalog_blocks_it(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    standin.failing["/robots.txt"] = HttpAnswer(200, b"User-agent: *\nDisallow: /\n", "text/plain")
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, served(standin))
    assert fault_of(caught.value) is CatalogFault.BLOCKED
    assert standin.routes == ["/robots.txt"]


@pytest.mark.parametrize("answer", [STALLED, DRIPPING], ids=["stalls", "drips"])
def test_a_response_that_does_not_end_is_abandoned_at_the_time_limit(
    kit: Kit, served: Serve, answer: HttpAnswer
) -> None:
    standin = kit.campus()
    client = served(standin, timeout_seconds=0.5)
    standin.failing[kit.rows] = answer
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
    if (switch, False) in {("missing_rows", kit.states_total), ("other_term", kit.states_term)}:
        pytest.skip("the platform's answers do not show it")
    standin = kit.campus()
    client = served(standin)
    poll(kit, standin, client)
    setattr(standin, switch, value)
    if kit.name == "rutgers":  # whose courses are kept for 15 minutes
        client.session.values.clear()
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) is fault


def test_a_search_that_suddenly_finds_nothing_proves_no_absence(kit: Kit, served: Serve) -> None:
    standin = kit.campus()
    client = served(standin)
    poll(kit, standin, client)
    standin.is_empty = True
    if kit.name == "rutgers":  # whose courses are kept for 15 minutes
        client.session.values.clear()
    if kit.name == "banner9":  # its empty answers are proved by their search mode
        (answer,) = poll(kit, standin, client)
        assert answer.total == 0
        return
    with pytest.raises(RollcallError) as caught:
        poll(kit, standin, client)
    assert fault_of(caught.value) in {CatalogFault.PARTIAL, CatalogFault.WRONG_TERM}
