from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.answers import decode
from catalogs.banner9 import FAMILY
from catalogs.banner9_answers import Page, observations
from catalogs.banner9_requests import BannerOptions
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
    CatalogTerm,
    MaintenanceError,
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SectionReference,
    SessionExpiredError,
    SignInRequiredError,
    WrongTermError,
)
from domain.errors import RateLimitedError, RollcallError
from domain.observation import Observation
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
BASE = "https://ssb.example.edu/StudentRegistrationSsb"
UTSA_PAGE = "banner-2-utsa-searchresults-500.json"
HAWAII_CALLS = "banner-15-hawaii-intercepted-calls.json"
SEARCH, OPEN, RESET = "searchResults/searchResults", "term/search", "classSearch/resetDataForm"


def row(crn: str = "10001", **changes: object) -> dict[str, Any]:
    return {
        "term": "202710",
        "courseReferenceNumber": crn,
        "subject": "ICS",
        "courseNumber": "111",
        "courseTitle": "Programming &amp; Proofs",
        "seatsAvailable": 3,
        "maximumEnrollment": 20,
        "waitAvailable": 5,
        "waitCount": 0,
        "crossList": None,
        "crossListAvailable": None,
        "openSection": True,
        "reservedSeatSummary": None,
        "faculty": [],
        "meetingsFaculty": [],
        **changes,
    }


def page(*rows: dict[str, Any], total: int | None = None, **changes: object) -> dict[str, Any]:
    stated = {"success": True, "totalCount": len(rows) if total is None else total, "pathMode": "search"}
    return {**stated, "data": list(rows), **changes}


EXPIRED: dict[str, Any] = page(pathMode=None, data=None)
FAILED: dict[str, Any] = page(success=False, totalCount=0, data=None)


def many(count: int, start: int = 10000) -> list[dict[str, Any]]:
    return [row(str(start + number)) for number in range(count)]


@dataclass
class StandIn:
    """Answers the searches in order, the last again and again; records every request."""

    pages: list[Any]
    opening: HttpResponse = field(default_factory=lambda: HttpResponse(200, b'{"fwdURL":"/x"}'))
    resetting: bytes = b"true"
    requests: list[CatalogRequest] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        self.requests.append(request)
        match self.route(request):
            case "term/search":
                return self.opening
            case "classSearch/resetDataForm":
                return HttpResponse(200, self.resetting)
        found = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        return found if isinstance(found, HttpResponse) else HttpResponse(200, json.dumps(found).encode())

    @staticmethod
    def route(request: CatalogRequest) -> str:
        return urlsplit(request.url).path.partition("/ssb/")[2]

    @property
    def routes(self) -> list[str]:
        return [self.route(request) for request in self.requests]

    def asked(self, name: str) -> list[str]:
        return [parse_qs(urlsplit(each.url).query).get(name, [""])[0] for each in self.requests]


def catalog(**options: str) -> Catalog:
    return FAMILY.build(CatalogIdentity("hawaii", UTC), BannerOptions(base_url=BASE, **options))


def watched(crn: str = "10001", course: str = "ICS 111") -> WatchedSection:
    return WatchedSection(SectionKey("hawaii", "202710", crn), course)


def unit(course: str = "ICS 111") -> Unit:
    return catalog().plan("202710", [watched(course=course)])[0]


def fetch(
    server: StandIn, asked: Unit | None = None, session: Session | None = None, at: datetime = AT
) -> Answer:
    return run_exchange(catalog().fetch(asked or unit(), session or Session(), at), server)


def one(**changes: object) -> Observation:
    return fetch(StandIn([page(row(**changes))])).observations[0]  # type: ignore[arg-type] # fields of a row


def hawaii_searches() -> list[bytes]:
    calls = json.loads(recorded(HAWAII_CALLS))
    bodies = [call["response_body"] for call in calls if SEARCH in call["url"]]
    return [(body if isinstance(body, str) else json.dumps(body)).encode() for body in bodies]


# --- Recorded answers ---


def test_the_recorded_page_of_san_antonio_shows_no_waitlist_place_as_an_open_seat() -> None:
    body = recorded(UTSA_PAGE)
    raw = {each["courseReferenceNumber"]: each for each in json.loads(body)["data"]}
    seen = {
        each.key.number: each
        for each in observations(decode(body, Page, "Banner").data or [], "utsa", "202420", AT)
    }
    assert len(seen) == 500
    waitlists = [crn for crn, each in raw.items() if each["openSection"] and each["seatsAvailable"] <= 0]
    assert len(waitlists) == 151
    assert all(seen[crn].open_seats == 0 for crn in waitlists)
    negatives = [crn for crn, each in raw.items() if each["seatsAvailable"] < 0]
    assert len(negatives) == 15
    assert all(seen[crn].open_seats == 0 for crn in negatives)
    shared = [crn for crn, each in raw.items() if each["crossList"]]
    assert len(shared) == 48
    for crn, each in raw.items():
        pool = each["crossListAvailable"] if each["crossList"] else each["seatsAvailable"]
        assert seen[crn].open_seats == max(0, min(each["seatsAvailable"], pool))
    assert sum(each["seatsAvailable"] > 0 for each in raw.values()) == 310
    assert sum(bool(each.open_seats) for each in seen.values()) == 309  # one has seats, its pool has none


def test_a_recorded_row_of_san_antonio_has_its_course_title_instructor_and_meetings() -> None:
    first = observations(decode(recorded(UTSA_PAGE), Page, "Banner").data or [], "utsa", "202420", AT)[0]
    assert first.key == SectionKey("utsa", "202420", "39738")
    assert (first.open_seats, first.capacity, first.waitlist_places) == (7, 15, 0)
    assert first.instructor is not None
    assert "Shibazaki, Minako" in first.instructor
    assert first.details.course == "AEPI 0110"
    assert first.details.title == "Reading/Vocabulary-level 1"
    assert first.details.location.startswith("McKinney Humanities 3.02.38")
    assert first.details.meeting_times.startswith("Mon/Wed/Fri 8:30 AM - 10:20 AM")


def test_the_recorded_terms_of_san_antonio_state_which_are_over() -> None:
    body = recorded("banner-5-utsa-getTerms.json").rstrip()
    body = body if body.endswith(b"]") else body + b"]"  # as published, its last bracket is missing
    terms = run_exchange(catalog().terms(Session()), StandIn([HttpResponse(200, body)]))
    assert terms[:2] == [CatalogTerm("202420", "Spring 2024"), CatalogTerm("202410", "Fall 2023", True)]
    assert len(terms) == 10


def test_the_recorded_searches_of_hawaii_never_show_more_seats_than_the_section_or_its_pool() -> None:
    searches = [decode(body, Page, "Banner") for body in hawaii_searches()]
    assert [found.total_count for found in searches] == [18, 5]
    seen = [
        {each.key.number: each for each in observations(found.data or [], "hawaii", "202710", AT)}
        for found in searches
    ]
    assert seen[0]["71843"].open_seats == 31  # of a pool of 233
    assert seen[0]["71843"].details.course == "ICS 111"
    assert (seen[1]["80393"].open_seats, seen[1]["80386"].open_seats) == (1, 2)  # of a pool of 3
    full = seen[1]["79284"]
    assert (full.open_seats, full.waitlist_places, full.waitlist_length) == (0, 7, 3)


# --- Rows ---


@pytest.mark.parametrize(
    ("changes", "seats"),
    [
        ({"seatsAvailable": 0}, 0),
        ({"seatsAvailable": -2}, 0),
        ({"crossList": "A", "crossListAvailable": 1}, 1),
        ({"crossList": "A", "crossListAvailable": -1}, 0),
        ({"crossList": None, "crossListAvailable": 0}, 3),
        ({"reservedSeatSummary": {"seatsAvailableUnreserved": -1}}, 0),
        ({"reservedSeatSummary": {"seatsAvailableUnreserved": 2}}, 2),
    ],
)
def test_open_seats_are_the_least_of_own_pool_and_unreserved(changes: dict[str, Any], seats: int) -> None:
    assert one(**changes).open_seats == seats


def test_entities_are_decoded_and_the_primary_instructor_comes_first() -> None:
    faculty = [
        {"displayName": "Lee, Ann", "primaryIndicator": False},
        {"displayName": "O&#39;Neil, Bo", "primaryIndicator": True},
    ]
    seen = one(faculty=faculty)
    assert seen.instructor == "O'Neil, Bo; Lee, Ann"
    assert seen.details.title == "Programming & Proofs"


@pytest.mark.parametrize(
    ("name", "value"),
    [("seatsAvailable", None), ("seatsAvailable", "3"), ("courseReferenceNumber", 10001), ("subject", None)],
)
def test_a_field_of_the_wrong_type_is_named(name: str, value: object) -> None:
    with pytest.raises(SchemaError, match=name):
        fetch(StandIn([page(row(**{name: value}))]))  # type: ignore[arg-type] # fields of a row


# --- Sessions ---


def test_a_session_chooses_its_term_once_and_resets_the_form_before_a_different_query() -> None:
    server, session = StandIn([page(row())]), Session()
    fetch(server, session=session)
    fetch(server, session=session)
    assert server.routes == [OPEN, SEARCH, SEARCH]
    fetch(server, catalog().plan("202710", None)[0], session)
    assert server.routes[3:] == [RESET, SEARCH]


def test_a_reset_that_is_not_confirmed_is_a_fault_because_the_search_would_keep_its_criteria() -> None:
    server, session = StandIn([page(row())], resetting=b"false"), Session()
    fetch(server, session=session)
    with pytest.raises(SchemaError, match="reset"):
        fetch(server, catalog().plan("202710", None)[0], session)
    assert server.routes == [OPEN, SEARCH, RESET]


def test_a_session_is_opened_again_after_the_idle_limit() -> None:
    server, session = StandIn([page(row())]), Session()
    fetch(server, session=session)
    fetch(server, session=session, at=AT + timedelta(minutes=30))
    assert server.routes == [OPEN, SEARCH, OPEN, SEARCH]


def test_a_forgotten_session_is_opened_again_once() -> None:
    server = StandIn([EXPIRED, page(row())])
    assert len(fetch(server).observations) == 1
    assert server.routes == [OPEN, SEARCH, OPEN, RESET, SEARCH]


def test_an_empty_answer_counts_only_in_search_mode() -> None:
    assert fetch(StandIn([page()])).proof
    with pytest.raises(SessionExpiredError):
        fetch(StandIn([EXPIRED]))
    with pytest.raises(SessionExpiredError):
        fetch(StandIn([page(pathMode="registration")]))


def test_a_catalog_behind_a_sign_in_redirects_the_choice_of_the_term() -> None:
    moved = HttpResponse(302, b"", b"HTTP/1.1 302 Found\r\nLocation: /StudentRegistrationSsb/start\r\n\r\n")
    with pytest.raises(SignInRequiredError):
        fetch(StandIn([page(row())], opening=moved))


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (HttpResponse(200, b"<html><body>System maintenance until 6 AM</body></html>"), MaintenanceError),
        (HttpResponse(404, b""), RouteGoneError),
        (HttpResponse(429, b""), RateLimitedError),
        (HttpResponse(200, b"{"), SchemaError),
    ],
)
def test_an_unusable_answer_says_why_and_the_next_exchange_opens_a_new_session(
    response: HttpResponse, kind: type[RollcallError]
) -> None:
    server, session = StandIn([response, page(row())]), Session()
    with pytest.raises(kind):
        fetch(server, session=session)
    fetch(server, session=session)
    assert server.routes == [OPEN, SEARCH, OPEN, RESET, SEARCH]


# --- Pages ---


def test_a_term_is_planned_in_pages_of_500_and_continues_where_it_has_grown() -> None:
    units = catalog().plan("202710", None, known_rows=1000)
    assert len(units) == 2
    first, last = (StandIn([page(*many(500), total=1001)]) for _ in range(2))
    assert fetch(first, units[0]).continuation is None
    following = fetch(last, units[1]).continuation
    assert following is not None
    assert following.scope == units[0].scope
    rest = StandIn([page(row(), total=1001)])
    assert fetch(rest, following).continuation is None
    assert rest.asked("pageOffset")[-1] == "1000"


def test_watched_courses_are_read_by_subject_and_the_whole_term_if_one_is_unknown_or_they_are_many() -> None:
    plan = catalog().plan
    assert plan("202710", []) == []
    by_subject = plan("202710", [watched(), watched("10002", "A S 101")])
    assert [each.scope for each in by_subject] == ["202710 A S,ICS"]
    assert by_subject[0].covers == {watched().key, watched("10002").key}
    assert plan("202710", [watched(), watched("10002", "")])[0].scope == "202710"
    assert plan("202710", [watched(str(n), f"S{n} 1") for n in range(16)])[0].scope == "202710"


def test_a_session_that_answers_another_query_is_not_used_again() -> None:
    server, session = StandIn([page(row(subject="ACC")), page(row())]), Session()
    with pytest.raises(PartialAnswerError):
        fetch(server, session=session)
    fetch(server, session=session)
    assert server.routes == [OPEN, SEARCH, OPEN, RESET, SEARCH]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (page(row(), total=2), PartialAnswerError),
        (page(row(), row("10002"), total=1), PartialAnswerError),
        (page(row(), row()), PartialAnswerError),
        (page(row(subject="ACC")), PartialAnswerError),
        (page(row(term="202640")), WrongTermError),
    ],
)
def test_a_page_that_is_cut_repeats_a_section_or_answers_another_query_is_a_fault(
    answer: dict[str, Any], kind: type[RollcallError]
) -> None:
    with pytest.raises(kind):
        fetch(StandIn([answer]))


def test_a_row_that_banner_cannot_return_is_left_out_and_the_total_still_counts_it() -> None:
    rows, bad = many(500), 137

    def send(request: CatalogRequest) -> HttpResponse:
        if StandIn.route(request) != SEARCH:
            return HttpResponse(200, b"true")
        asked = parse_qs(urlsplit(request.url).query)
        start, size = int(asked["pageOffset"][0]), int(asked["pageMaxSize"][0])
        found = FAILED if start <= bad < start + size else page(*rows[start : start + size], total=500)
        return HttpResponse(200, json.dumps(found).encode())

    answer = run_exchange(catalog().fetch(unit(), Session(), AT), send)
    assert answer.total == 500
    assert {each.key.number for each in answer.observations} == {
        each["courseReferenceNumber"] for each in rows if each is not rows[bad]
    }


def test_a_search_that_always_fails_is_a_fault_after_a_bounded_number_of_requests() -> None:
    server = StandIn([FAILED])
    with pytest.raises(PartialAnswerError):
        fetch(server)
    assert server.routes.count(SEARCH) == 24


_VALUES = st.none() | st.integers(-3, 9) | st.booleans() | st.text(max_size=5)


@given(
    seats=st.lists(st.integers(-3, 5), min_size=1, max_size=6),
    mutated=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(row())), _VALUES), max_size=4),
    top=st.dictionaries(st.sampled_from(["totalCount", "pathMode", "data", "success"]), _VALUES, max_size=2),
    cut=st.integers(0, 6),
)
def test_mutated_and_cut_pages_never_show_a_seat_that_the_row_does_not_state(
    seats: list[int], mutated: list[tuple[int, str, Any]], top: dict[str, Any], cut: int
) -> None:
    rows = [row(str(10000 + number), seatsAvailable=count) for number, count in enumerate(seats)]
    for position, name, value in mutated:
        rows[position % len(rows)][name] = value
    kept = rows[: len(rows) - cut] if cut else rows
    try:
        answer = fetch(StandIn([page(*kept, total=len(rows), **top)]))
    except RollcallError:
        return
    stated = {each["courseReferenceNumber"]: each["seatsAvailable"] for each in kept}
    for seen in answer.observations:
        assert (seen.open_seats or 0) <= max(0, stated[seen.key.number])
    assert len(kept) == len(rows) or "totalCount" in top


# --- Search and links ---


def test_a_search_is_by_course_or_by_title() -> None:
    server = StandIn([page(row())])
    for text in ("ics 111", "ICS-111", "data structures", " "):
        run_exchange(catalog().search("202710", text, Session(), AT), server)
    searches = [name for name in server.asked("txt_subject") if name]
    assert searches == ["ICS", "ICS"]
    assert [number for number in server.asked("txt_courseNumber") if number] == ["111", "111"]
    assert [title for title in server.asked("txt_courseTitle") if title] == ["data structures"]


def test_a_crn_is_sought_in_the_pages_of_the_term() -> None:
    server = StandIn([page(*many(500), total=501), page(row("20000"), total=501)])
    found = run_exchange(catalog().search("202710", "20000", Session(), AT), server)
    assert [each.key.number for each in found] == ["20000"]
    assert server.routes == [OPEN, SEARCH, SEARCH]


def test_links_of_banner_8_and_bare_crns_name_a_section() -> None:
    link = "https://www.example.edu/pls/bwckschd.p_disp_detail_sched?term_in=202710&crn_in=10001"
    parse = catalog().parse_link
    assert parse(link) == SectionReference("10001", "202710")
    assert parse(" 10001 ") == SectionReference("10001")
    assert parse(link.replace("example.edu", "elsewhere.edu")) is None
    assert parse("https://[bad") is None
    assert parse("ICS 111") is None


def test_options_select_an_institution_and_a_campus_on_a_shared_host() -> None:
    shared = catalog(mep_code="OSU", campus="MAN")
    server = StandIn([page(row())])
    run_exchange(shared.fetch(unit(), Session(), AT), server)
    assert server.asked("mepCode") == ["OSU", "OSU"]
    assert server.asked("txt_campus") == ["", "MAN"]


def test_a_url_of_banner_9_is_recognised() -> None:
    found = FAMILY.recognises(f"{BASE}/ssb/term/termSelection?mode=search&mepCode=OSU")
    assert found == BannerOptions(base_url=BASE, mep_code="OSU")
    assert FAMILY.recognises("https://www.example.edu/classes") is None
