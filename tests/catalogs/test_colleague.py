from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.answers import decode
from catalogs.colleague import FAMILY
from catalogs.colleague_answers import SectionsAnswer, observations
from catalogs.colleague_requests import ColleagueOptions
from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    CatalogRequest,
    Session,
    Unit,
    WatchedSection,
    run_exchange,
)
from domain.catalog import (
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SectionReference,
    SessionExpiredError,
    SignInRequiredError,
    WrongTermError,
)
from domain.errors import RollcallError
from domain.observation import Observation, SectionStatus
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
BASE = "https://kish-ss.example.edu/Student/"
RECORDED = "colleague-1-kishwaukee-sections-amt116-open.json"
PAGE = '<form><input name="__RequestVerificationToken" type="hidden" value="{}" /></form>'


def section(number: str = "3A01", **changes: object) -> dict[str, Any]:
    stated = {
        "Id": f"id-{number}",
        "SectionNameDisplay": f"AMT-116-{number}",
        "CourseName": "AMT-116",
        "Title": "Basic Automotive Electrical",
        "TermId": "FA26",
        "Available": 2,
        "Capacity": 12,
        "Waitlisted": 0,
        "WaitlistAvailable": False,
        "AvailabilityStatus": "Open",
        "AreSeatCountsAvailable": True,
        "HasUnlimitedSeats": False,
        **changes,
    }
    return {"Section": stated, "FacultyDisplay": "Banasiak, T"}


def groups(*sections: dict[str, Any], term: str = "FA26") -> dict[str, Any]:
    return {"TermsAndSections": [{"Term": {"Code": term}, "Sections": list(sections)}]}


def course(number: str, *ids: str) -> dict[str, Any]:
    return {
        "Id": f"course-{number}",
        "SubjectCode": "AMT",
        "Number": number,
        "MatchingSectionIds": list(ids),
    }


@dataclass
class CatalogServer:
    """Answers the requests of a catalog from `pages` of courses and `sections`; keeps what it was asked."""

    terms: list[str] = field(default_factory=lambda: ["SP26", "FA26"])
    pages: list[list[dict[str, Any]]] = field(default_factory=lambda: [[course("116", "id-3A01")]])
    sections: dict[str, Any] = field(default_factory=lambda: groups(section()))
    token: int = 1
    asked: list[CatalogRequest] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        self.asked.append(request)
        route = request.url.removeprefix(BASE + "Courses").removeprefix("/")
        if not route:
            return HttpResponse(200, PAGE.format(f"token-{self.token}").encode())
        if request.headers["__RequestVerificationToken"] != f"token-{self.token}":
            return HttpResponse(400, b"Could not validate this request's antiforgery token.")
        assert request.headers["X-Requested-With"] == "XMLHttpRequest"
        return HttpResponse(200, json.dumps(self.answer(route, request.body)).encode())

    def answer(self, route: str, body: bytes) -> object:
        match route:
            case "GetCatalogAdvancedSearch" | "GetCatalogAdvancedSearchAsync":
                return {"Terms": [{"Item1": term, "Item2": f"Term &amp; {term}"} for term in self.terms]}
            case "PostSearchCriteria":
                return self.page(json.loads(body))
            case "SearchAsync":
                return self.page(json.loads(json.loads(body)["searchParameters"]))
            case "SectionsAsync":
                return self.sections
            case _:
                return {"SectionsRetrieved": self.sections}

    def page(self, criteria: dict[str, Any]) -> object:
        assert "" not in criteria.values()
        total = sum(map(len, self.pages))
        listed = self.pages[criteria["pageNumber"] - 1] if self.pages else []
        return {"TotalItems": total, "TotalPages": len(self.pages), "Courses": listed}

    def routes(self) -> list[str]:
        return [request.url.rpartition("/")[2] for request in self.asked]


def catalog(interface: str = "classic") -> Catalog:
    options = ColleagueOptions(base_url=BASE, interface="async" if interface == "async" else "classic")
    return FAMILY.build(CatalogIdentity("kishwaukee", UTC), options)


def key(number: str = "3A01", term: str = "FA26") -> SectionKey:
    return SectionKey("kishwaukee", term, f"AMT-116-{number}")


def unit(*numbers: str, term: str = "FA26") -> Unit:
    (planned,) = catalog().plan(term, [WatchedSection(key(number, term)) for number in numbers or ("3A01",)])
    return planned


def poll(server: CatalogServer, session: Session, first: Unit, interface: str = "classic") -> list[Answer]:
    """The answers to `first` and all its continuations."""

    def answers() -> Iterator[Answer]:
        following: Unit | None = first
        while following is not None:
            answer = run_exchange(catalog(interface).fetch(following, session, AT), server)
            yield answer
            following = answer.continuation

    return list(answers())


def read(*sections: dict[str, Any], term: str = "FA26") -> list[Observation]:
    body = json.dumps({"SectionsRetrieved": groups(*sections)}).encode()
    return observations(decode(body, SectionsAnswer, "Colleague").SectionsRetrieved, "kishwaukee", term, AT)


def test_the_recorded_answer_of_kishwaukee_is_two_open_sections() -> None:
    retrieved = decode(recorded(RECORDED), SectionsAnswer, "Colleague").SectionsRetrieved
    first, second = observations(retrieved, "kishwaukee", "FA26", AT)
    assert (first.key, second.key) == (key("3A01"), key("3A02"))
    assert (first.open_seats, second.open_seats, first.capacity) == (1, 2, 12)
    assert (first.status, first.is_counted, first.instructor) == (SectionStatus.OPEN, True, "Banasiak, T")
    assert (first.waitlist_places, first.waitlist_length) == (0, 0)
    assert first.details.course == "AMT-116"
    assert first.details.title == "Basic Automotive Electrical"
    assert first.details.location == "Caukin Building 134"
    assert first.details.meeting_times == "Mon/Wed/Fri 8:00 AM - 10:15 AM"


def test_a_first_poll_opens_a_session_searches_the_subject_and_reads_the_course() -> None:
    server, session = CatalogServer(), Session()
    searched, answer = poll(server, session, unit())
    assert not searched.observations
    assert searched.proof
    assert [seen.key for seen in answer.observations] == [key()]
    assert server.routes() == ["Courses", "GetCatalogAdvancedSearch", "PostSearchCriteria", "Sections"]
    assert json.loads(server.asked[-1].body) == {"courseId": "course-116", "sectionIds": ["id-3A01"]}


def test_the_next_poll_of_the_session_is_one_request() -> None:
    server, session = CatalogServer(), Session()
    poll(server, session, unit())
    server.asked.clear()
    (answer,) = poll(server, session, unit())
    assert answer.observations
    assert server.routes() == ["Sections"]


def test_a_section_that_is_new_in_its_course_is_found_by_a_new_search() -> None:
    server, session = CatalogServer(), Session()
    poll(server, session, unit())

    class Grown(CatalogServer):
        def answer(self, route: str, body: bytes) -> object:
            if route == "Sections" and "id-3A09" in json.loads(body)["sectionIds"]:
                return {"SectionsRetrieved": groups(section(), section("3A09"))}
            return super().answer(route, body)

    grown = Grown(pages=[[course("116", "id-3A01", "id-3A09")]])
    answers = poll(grown, session, unit("3A01", "3A09"))
    assert [seen.key for seen in answers[-1].observations] == [key("3A01"), key("3A09")]
    assert grown.routes() == ["Sections", "PostSearchCriteria", "Sections"]


def test_a_section_that_a_new_search_does_not_list_is_missing_from_the_answer() -> None:
    server, session = CatalogServer(), Session()
    poll(server, session, unit())
    (answer,) = poll(server, session, unit("3A01", "3A77"))
    assert [seen.key for seen in answer.observations] == [key("3A01")]


def test_a_course_on_the_second_page_of_its_subject_is_found() -> None:
    server = CatalogServer(pages=[[course("100", "x")], [course("116", "id-3A01")]])
    first, second, answer = poll(server, Session(), unit())
    assert first.continuation is not None
    assert second.continuation is not None
    assert [seen.key for seen in answer.observations] == [key()]


def test_a_course_that_is_on_no_page_is_absent_with_proof() -> None:
    (*_, answer) = poll(CatalogServer(pages=[[course("100", "x")], [course("101", "y")]]), Session(), unit())
    assert not answer.observations
    assert "AMT-116 has no sections in FA26" in answer.proof


def test_pages_that_repeat_courses_are_a_partial_answer() -> None:
    repeated = [course("100", "x")]
    with pytest.raises(PartialAnswerError):
        poll(CatalogServer(pages=[repeated, repeated]), Session(), unit())


def test_a_search_that_finds_nothing_at_all_proves_nothing() -> None:
    with pytest.raises(PartialAnswerError, match="no search"):
        poll(CatalogServer(pages=[]), Session(), unit())


def test_an_empty_search_in_a_term_that_is_no_longer_listed_is_the_wrong_term() -> None:
    server, session = CatalogServer(pages=[]), Session()
    run_exchange(catalog().terms(session), server)
    server.terms = ["SP27"]
    with pytest.raises(WrongTermError):
        poll(server, session, unit())


def test_a_term_is_named_as_the_catalog_names_it() -> None:
    server, session = (
        CatalogServer(terms=["26/FA"], sections=groups(section(TermId="26/FA"), term="26/FA")),
        Session(),
    )
    (term,) = run_exchange(catalog().terms(session), server)
    assert (term.code, term.label) == ("26/FA", "Term & 26/FA")
    *_, answer = poll(server, session, unit(term="26/FA"))
    assert [seen.key for seen in answer.observations] == [key(term="26/FA")]
    assert json.loads(server.asked[2].body)["terms"] == ["26/FA"]


def test_a_stale_token_is_renewed_once() -> None:
    server, session = CatalogServer(), Session()
    poll(server, session, unit())
    server.token = 2
    server.asked.clear()
    (answer,) = poll(server, session, unit())
    assert answer.observations
    assert server.routes() == ["Sections", "Courses", "Sections"]


def test_a_new_token_that_is_refused_ends_the_session() -> None:
    def send(request: CatalogRequest) -> HttpResponse:
        is_page = request.url.endswith("/Courses")
        return HttpResponse(200, PAGE.format("t").encode()) if is_page else HttpResponse(400, b"")

    session = Session()
    with pytest.raises(SessionExpiredError):
        run_exchange(catalog().terms(session), send)
    assert "token" not in session.values


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (
            HttpResponse(302, b"", b"HTTP/1.1 302 Found\r\nLocation: /Student/Account/Login?ReturnUrl=x\r\n"),
            SignInRequiredError,
        ),
        (HttpResponse(200, b'<form><input type="password" name="p"></form>'), SignInRequiredError),
        (
            HttpResponse(301, b"", b"HTTP/1.1 301 Moved\r\nLocation: https://new.example.edu/\r\n"),
            RouteGoneError,
        ),
        (HttpResponse(404, b""), RouteGoneError),
        (HttpResponse(200, b"<html>"), SchemaError),
    ],
)
def test_a_page_without_a_token_is_the_fault_that_it_shows(
    response: HttpResponse, error: type[RollcallError]
) -> None:
    with pytest.raises(error):
        run_exchange(catalog().terms(Session()), lambda _: response)


def test_the_async_interface_wraps_its_criteria_and_its_number_0_is_open() -> None:
    rows = [
        section(AvailabilityStatus=0),
        section("3A02", AvailabilityStatus=1),
        section("3A03", AvailabilityStatus=2),
    ]
    server = CatalogServer(sections=groups(*rows))
    *_, answer = poll(server, Session(), unit(), "async")
    assert [seen.open_seats for seen in answer.observations] == [2, 0, 0]
    assert server.routes()[1:] == ["GetCatalogAdvancedSearchAsync", "SearchAsync", "SectionsAsync"]


@pytest.mark.parametrize(
    ("changes", "seats", "is_counted", "places"),
    [
        ({}, 2, True, 0),
        ({"Available": 0}, 0, True, 0),
        ({"Available": -3}, 0, True, 0),
        ({"AvailabilityStatus": "Closed"}, 0, True, 0),
        ({"AvailabilityStatus": "Waitlisted", "WaitlistAvailable": True}, 0, True, 1),
        ({"AvailabilityStatus": "Waitlisted", "WaitlistAvailable": False}, 0, True, 0),
        ({"AreSeatCountsAvailable": False, "Available": 0}, 1, False, 0),
        ({"AreSeatCountsAvailable": False, "AvailabilityStatus": "Closed"}, 0, False, 0),
        ({"HasUnlimitedSeats": True, "Available": None, "Capacity": None}, 1, False, 0),
    ],
)
def test_status_and_counts_decide_together(
    changes: dict[str, Any],
    seats: int,
    is_counted: bool,
    places: int,
) -> None:
    (seen,) = read(section(**changes))
    assert (seen.open_seats, seen.is_counted, seen.waitlist_places) == (seats, is_counted, places)


def test_hidden_counts_are_unknown() -> None:
    (seen,) = read(section(AreSeatCountsAvailable=False, Waitlisted=0))
    assert (seen.capacity, seen.waitlist_length) == (None, None)


@pytest.mark.parametrize(
    ("changes", "field_name"),
    [
        ({"AvailabilityStatus": "Reserved"}, "AvailabilityStatus"),
        ({"AvailabilityStatus": None}, "AvailabilityStatus"),
        ({"Available": "2"}, "Available"),
        ({"Available": None}, "Available"),
        ({"HasUnlimitedSeats": None}, "HasUnlimitedSeats"),
        ({"SectionNameDisplay": ""}, "SectionNameDisplay"),
        ({"FormattedMeetingTimes": [{"Days": [7]}]}, "Days"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(changes: dict[str, Any], field_name: str) -> None:
    with pytest.raises(SchemaError, match=field_name):
        read(section(**changes))


def test_a_week_starts_with_sunday_as_0_and_request_dates_are_ignored() -> None:
    times = {"Days": [0, 6], "StartTimeDisplay": "9:00 AM", "EndTimeDisplay": "9:50 AM"}
    (seen,) = read(
        section(FormattedMeetingTimes=[times], Meetings=[{"StartTime": "2026-09-12T13:00:00+00:00"}])
    )
    assert seen.details.meeting_times == "Sun/Sat 9:00 AM - 9:50 AM"


def test_sections_of_other_terms_are_ignored() -> None:
    answer = groups(section())
    answer["TermsAndSections"] += groups(section("3A02", TermId="SP27"), term="SP27")["TermsAndSections"]
    retrieved = decode(
        json.dumps({"SectionsRetrieved": answer}).encode(), SectionsAnswer, "Colleague"
    ).SectionsRetrieved
    assert [seen.key for seen in observations(retrieved, "kishwaukee", "FA26", AT)] == [key()]


def test_an_answer_with_only_another_term_is_the_wrong_term() -> None:
    with pytest.raises(WrongTermError):
        read(section(), term="SP27")


@pytest.mark.parametrize("rows", [[], [section(), section(Id="other")]])
def test_an_answer_without_rows_or_with_repeated_names_is_partial(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(PartialAnswerError):
        read(*rows)


def test_an_answer_that_lacks_a_watched_section_and_an_id_is_partial() -> None:
    server = CatalogServer(pages=[[course("116", "id-3A01", "id-3A02")]])
    with pytest.raises(PartialAnswerError):
        poll(server, Session(), unit("3A01", "3A02"))


VALUES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)
FIELDS = st.sampled_from(sorted(section()["Section"]))


STATED = st.fixed_dictionaries(
    {
        "AvailabilityStatus": st.sampled_from(["Open", "Closed", "Waitlisted", 0, 1, 2]),
        "Available": st.integers(-3, 3),
        "AreSeatCountsAvailable": st.booleans(),
        "HasUnlimitedSeats": st.booleans(),
    }
)


def is_false_open(stated: dict[str, Any], seen: Observation) -> bool:
    """Whether `seen` has more open seats than the status and the public count allow."""
    is_open = str(stated["AvailabilityStatus"]).strip().casefold() in {"open", "0"}
    is_counted = stated["AreSeatCountsAvailable"] and not stated["HasUnlimitedSeats"]
    allowed = (stated["Available"] if is_counted else 1) if is_open else 0
    return (seen.open_seats or 0) > max(0, allowed)


@given(STATED)
def test_an_open_seat_needs_an_open_status_and_a_positive_public_count(stated: dict[str, Any]) -> None:
    (seen,) = read(section(**stated))
    assert not is_false_open(stated, seen)


@given(STATED, st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3))
def test_no_mutation_of_a_section_is_a_false_open_seat(
    stated: dict[str, Any], changes: dict[str, Any]
) -> None:
    mutated = section(**{**stated, **changes})["Section"]
    try:
        (seen,) = read({"Section": mutated})
    except RollcallError:
        return
    assert not is_false_open(mutated, seen)


@given(st.data())
def test_a_truncated_or_altered_answer_is_never_read_as_open(data: st.DataObject) -> None:
    body = json.dumps({"SectionsRetrieved": groups(section(Available=0))}).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    try:
        rows = decode(body[:start] + body[end:], SectionsAnswer, "Colleague").SectionsRetrieved
        found = observations(rows, "kishwaukee", "FA26", AT)
    except RollcallError:
        return
    assert not any(seen.open_seats for seen in found)


def test_a_plan_has_one_unit_for_each_course() -> None:
    other = SectionKey("kishwaukee", "FA26", "ACC-121-01")
    watched = [WatchedSection(key("3A01")), WatchedSection(key("3A02"), "AMT-116"), WatchedSection(other)]
    planned = catalog().plan("FA26", watched)
    assert [each.covers for each in planned] == [{other}, {key("3A01"), key("3A02")}]
    assert not catalog().capabilities.lists_term
    with pytest.raises(ValueError, match="whole term"):
        catalog().plan("FA26", None)


def test_a_number_that_is_not_a_section_name_is_absent_without_a_request() -> None:
    (planned,) = catalog().plan("FA26", [WatchedSection(SectionKey("kishwaukee", "FA26", "60233"))])
    server = CatalogServer()
    (answer,) = poll(server, Session(), planned)
    assert answer.proof
    assert not server.asked


def test_a_search_reads_the_course_that_the_text_names_first() -> None:
    server = CatalogServer(pages=[[course("1160", "x"), course("116", "id-3A01")]])
    found = run_exchange(catalog().search("FA26", "amt 116", Session(), AT), server)
    assert found
    reads = [json.loads(request.body) for request in server.asked if request.url.endswith("/Sections")]
    assert reads[0]["courseId"] == "course-116"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{BASE}Courses/Search?keyword=AMT-116-3A01&terms=FA26", SectionReference("AMT-116-3A01", "FA26")),
        (f"{BASE}Courses/Search?keyword=AMT*116*3A01", SectionReference("AMT-116-3A01")),
        (f"{BASE}Courses/Search?keyword=AMT-116", None),
        ("https://other.example.edu/Student/Courses/Search?keyword=AMT-116-3A01", None),
        ("AMT-116-3A01", None),
        ("https://[", None),
    ],
)
def test_a_link_names_a_section_by_its_keyword(link: str, expected: SectionReference | None) -> None:
    assert catalog().parse_link(link) == expected


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (
            "https://selfservice.example.edu/Student/Courses/Search?keyword=x",
            "https://selfservice.example.edu/Student/",
        ),
        (
            "https://selfservice.example.edu/Student/Student/Courses",
            "https://selfservice.example.edu/Student/",
        ),
        ("https://selfservice.example.edu/Students", None),
        ("http://selfservice.example.edu/Student/Courses", None),
    ],
)
def test_a_catalog_is_recognised_by_its_path(url: str, base: str | None) -> None:
    found = FAMILY.recognises(url)
    assert (found.base_url if found else None) == base
