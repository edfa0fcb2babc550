from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from catalogs.fose import FAMILY, FoseOptions
from domain.catalog import (
    BlockedError,
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
from domain.errors import RollcallError, UpstreamError
from domain.observation import UNASSIGNED, Observation, SectionStatus
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
PAGE = "https://classes.example.edu/"
TERM = "2267"
ANT = "fose-3-emory-details-waitlist-full-ant190.json"
AFS = "fose-5-emory-details-open-crosslisted-afs270.json"
HOME = """<script>var config = {srcDBs: [
 {"code":"999999","name":"Any Term","status":""},
 {"code":"2267","name":"Fall 2026 ","status":"clss-publish"},
 {"code":"2261","name":"Spring &amp; Maymester 2026","status":"historical","flags":["[x]"]}
], other: []};</script>"""
LABELLED = (
    "<strong>Maximum Enrollment</strong>: {0} / <strong>Seats Avail</strong>: {1}<br/>"
    "<strong>Waitlist Total</strong>: 0"
)
MARKED = (
    '<strong>Maximum Enrollment:</strong> <span class="seats_max">{0}</span> / '
    '<strong>Seats Avail:</strong> <span class="seats_avail">{1}</span>'
)
VARIANTS = (LABELLED, MARKED)


def row(crn: str = "10001", **changes: object) -> dict[str, Any]:
    return {
        "key": "1",
        "code": "CSCI 1300",
        "title": "Starting Computing",
        "crn": crn,
        "no": "001",
        "total": "3",
        "stat": "A",
        "isCancelled": "",
        "meets": "MWF 9-9:50a",
        "meetingTimes": '[{"meet_day":"0","start_time":"900","end_time":"950"}]',
        "instr": "F. Tice",
        "srcdb": TERM,
        **changes,
    }


def term_of(*rows: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {"srcdb": TERM, "count": len(rows), "results": list(rows), **changes}


def details(seats: str | None, *group: dict[str, Any], **changes: object) -> dict[str, Any]:
    stated = {
        "crn": "10001",
        "code": "CSCI 1300",
        "stat": "A",
        "srcdb": TERM,
        "allInGroup": list(group or [row()]),
    }
    return {**stated, **({} if seats is None else {"seats": seats}), **changes}


@dataclass
class CatalogServer:
    """Answers searches and details; with `cookies`, only after its page was opened."""

    results: object = field(default_factory=lambda: term_of(row()))
    detail: object = None
    home: HttpResponse = field(default_factory=lambda: HttpResponse(200, HOME.encode()))
    needs_cookies: bool = False
    is_open: bool = False
    asked: list[CatalogRequest] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        self.asked.append(request)
        if request.method == "GET":
            assert request.url == PAGE
            self.is_open = True
            return self.home
        assert request.url.startswith(f"{PAGE}api/?page=fose&route=")
        if self.needs_cookies and not self.is_open:
            return HttpResponse(302, b"", b"HTTP/1.1 302 Found\r\nLocation: /\r\n")
        answer = self.results if request.url.endswith("search") else self.detail
        return HttpResponse(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def routes(self) -> list[str]:
        return [request.url.removeprefix(PAGE).partition("route=")[2] for request in self.asked]

    def payloads(self) -> list[Any]:
        return [json.loads(unquote(request.body.decode())) for request in self.asked if request.body]


def catalog(base_url: str = f"{PAGE}api/") -> Catalog:
    return FAMILY.build(CatalogIdentity("boulder", UTC), FoseOptions(base_url=base_url))


def key(number: str = "10001", term: str = TERM) -> SectionKey:
    return SectionKey("boulder", term, number)


def unit(*numbers: str) -> Unit:
    (planned,) = catalog().plan(
        TERM, [WatchedSection(key(number)) for number in numbers] if numbers else None
    )
    return planned


def fetch(server: CatalogServer, asked: Unit | None = None, session: Session | None = None) -> Answer:
    return run_exchange(catalog().fetch(asked or unit("10001"), session or Session(), AT), server)


def read(*rows: dict[str, Any]) -> list[Observation]:
    return list(fetch(CatalogServer(term_of(*rows))).observations)


def read_details(answer: object, number: str = "10001", term: str = TERM) -> Observation:
    """The section as its row and then its details show it."""
    asked = Unit(term, json.dumps({"crn": number}), f"{term} {number}", frozenset({key(number, term)}))
    (seen,) = fetch(CatalogServer(detail=answer), asked).observations
    return seen


# --- Recorded answers ---


def test_the_recorded_waitlisted_section_of_emory_has_no_open_seat_and_a_waitlist() -> None:
    seen = read_details(recorded(ANT), "2699", "5239")
    assert (seen.open_seats, seen.capacity, seen.is_counted) == (0, 16, True)
    assert (seen.status, seen.waitlist_places, seen.waitlist_length) == (SectionStatus.WAITLIST, 1, 0)
    assert seen.instructor == "C. Hadley"
    assert seen.details.course == "ANT 190"
    assert seen.details.title == "Freshman Seminar:Anthropology: Anthro in the World of Data"
    assert seen.details.meeting_times == "Mon/Wed 10:00 AM - 11:15 AM"
    assert seen.details.location == "Anthropology Bldg 107"


def test_the_recorded_cross_listed_section_of_emory_has_one_open_seat() -> None:
    seen = read_details(recorded(AFS), "2749", "5239")
    assert (seen.open_seats, seen.capacity, seen.is_counted) == (1, 10, True)
    assert (seen.status, seen.waitlist_places, seen.waitlist_length) == (SectionStatus.OPEN, None, 0)
    assert seen.instructor == "P. Little"
    assert seen.details.meeting_times == "Tue/Thu 1:00 PM - 2:15 PM"
    assert seen.details.location == "Math & Science Center - N302"


@pytest.mark.parametrize(("name", "number"), [(ANT, "2700"), (AFS, "4091")])
def test_recorded_details_do_not_answer_for_another_section_of_the_group(name: str, number: str) -> None:
    with pytest.raises(PartialAnswerError):
        read_details(recorded(name), number, "5239")


def test_recorded_rows_have_a_status_and_no_counts() -> None:
    group = json.loads(recorded(AFS))["allInGroup"]
    server = CatalogServer({"srcdb": "5239", "count": len(group), "results": group})
    asked, *_ = catalog().plan("5239", None)
    seen = fetch(server, asked).observations
    assert [each.key.number for each in seen] == ["2749", "4091", "4158", "4508"]
    assert [(each.open_seats, each.is_counted, each.capacity) for each in seen] == [(1, False, None)] * 4


# --- Terms and sessions ---


def test_terms_are_those_of_the_page_without_the_entry_for_all() -> None:
    server = CatalogServer()
    assert run_exchange(catalog().terms(Session()), server) == [
        CatalogTerm("2267", "Fall 2026"),
        CatalogTerm("2261", "Spring & Maymester 2026", is_view_only=True),
    ]


def test_terms_are_read_from_a_list_where_there_is_no_config() -> None:
    page = b"""<select name=x><option value="1">No</option></select><select class="c" id=crit-srcdb>
      <option value="">Any</option><option value="999999">All</option>
      <option selected value='202610'>Fall &amp; J
      2026</option><option value=202620>Spring 2027</option></select>"""
    found = run_exchange(catalog().terms(Session()), CatalogServer(home=HttpResponse(200, page)))
    assert found == [CatalogTerm("202610", "Fall & J 2026"), CatalogTerm("202620", "Spring 2027")]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HttpResponse(200, b"<html>no terms</html>"), SchemaError),
        (HttpResponse(200, b"srcDBs: [{'code':1}]"), SchemaError),
        (HttpResponse(200, b'srcDBs: [{"code":1,"name":"x"}]'), SchemaError),
        (HttpResponse(200, b"srcDBs: []"), PartialAnswerError),
        (HttpResponse(404, b""), RouteGoneError),
        (HttpResponse(302, b"", b"HTTP/1.1 302 Found\r\nLocation: /login\r\n"), SignInRequiredError),
    ],
)
def test_a_page_without_terms_is_the_fault_that_it_shows(
    response: HttpResponse, error: type[RollcallError]
) -> None:
    with pytest.raises(error):
        run_exchange(catalog().terms(Session()), CatalogServer(home=response))


def test_a_session_opens_the_page_once_for_its_cookies() -> None:
    server, session = CatalogServer(needs_cookies=True), Session()
    fetch(server, session=session)
    fetch(server, session=session)
    assert server.routes() == ["", "search", "search"]


def test_a_session_whose_cookies_are_gone_opens_the_page_again() -> None:
    server, session = CatalogServer(needs_cookies=True), Session()
    fetch(server, session=session)
    server.is_open = False
    assert fetch(server, session=session).observations
    assert server.routes() == ["", "search", "search", "", "search"]


def test_a_page_that_persists_in_a_new_session_is_a_fault_after_one_repetition() -> None:
    server, session = CatalogServer(), Session()
    fetch(server, session=session)
    server.results = b"<html>Undergoing scheduled maintenance</html>"
    with pytest.raises(MaintenanceError):
        fetch(server, session=session)
    assert server.routes() == ["", "search", "search", "", "search"]


@pytest.mark.parametrize(("status", "error"), [(500, UpstreamError), (404, RouteGoneError)])
def test_an_error_of_the_server_is_not_repeated(status: int, error: type[RollcallError]) -> None:
    asked: list[CatalogRequest] = []

    def send(request: CatalogRequest) -> HttpResponse:
        asked.append(request)
        return HttpResponse(status, b"")

    with pytest.raises(error):
        run_exchange(catalog().fetch(unit(), Session({"opened": "yes"}), AT), send)
    assert len(asked) == 1


def test_a_refusal_is_not_repeated_and_ends_the_session() -> None:
    session = Session({"opened": "yes"})
    asked: list[CatalogRequest] = []

    def send(request: CatalogRequest) -> HttpResponse:
        asked.append(request)
        raise BlockedError("403")

    with pytest.raises(BlockedError):
        run_exchange(catalog().fetch(unit(), session, AT), send)
    assert len(asked) == 1
    assert not session.values


# --- The whole term ---


@pytest.mark.parametrize("base", [f"{PAGE}api/", f"{PAGE}api", PAGE])
def test_a_term_is_one_request_with_url_encoded_json(base: str) -> None:
    server = CatalogServer()
    run_exchange(catalog(base).fetch(unit("10001", "10002"), Session(), AT), server)
    assert server.payloads() == [{"other": {"srcdb": TERM}, "criteria": []}]
    assert server.asked[1].body.startswith(b"%7B%22other")


def test_a_plan_is_one_unit_that_covers_the_watched_sections() -> None:
    assert unit("10001", "10002").covers == {key("10001"), key("10002")}
    assert not unit().covers
    assert not catalog().plan(TERM, [])


@pytest.mark.parametrize(
    ("changes", "status", "seats", "places"),
    [
        ({"stat": "A"}, SectionStatus.OPEN, 1, None),
        ({"stat": "W"}, SectionStatus.WAITLIST, 0, 1),
        ({"stat": "F"}, SectionStatus.CLOSED, 0, 0),
        ({"stat": "C"}, SectionStatus.CANCELLED, 0, 0),
        ({"stat": "X"}, SectionStatus.CANCELLED, 0, 0),
        ({"stat": "A", "isCancelled": "1"}, SectionStatus.CANCELLED, 0, 0),
        ({"stat": "A", "isCancelled": True}, SectionStatus.CANCELLED, 0, 0),
        ({"stat": "A", "isCancelled": "N"}, SectionStatus.OPEN, 1, None),
        ({"stat": "A", "enrl_stat": "C"}, SectionStatus.CLOSED, 0, 0),
        ({"stat": "C", "enrl_stat": "C"}, SectionStatus.CLOSED, 0, 0),
        ({"stat": "X", "enrl_stat": "C"}, SectionStatus.CANCELLED, 0, 0),
        ({"stat": "A", "enrl_stat": "W"}, SectionStatus.WAITLIST, 0, 1),
        ({"stat": "F", "enrl_stat": "O"}, SectionStatus.CLOSED, 0, 0),
    ],
)
def test_a_row_states_a_status_and_no_counts(
    changes: dict[str, Any], status: SectionStatus, seats: int, places: int | None
) -> None:
    (seen,) = read(row(**changes))
    assert (seen.status, seen.open_seats, seen.waitlist_places) == (status, seats, places)
    assert (seen.is_counted, seen.capacity) == (False, None)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"stat": "B"}, "stat"),
        ({"stat": ""}, "stat"),
        ({"stat": None}, "stat"),
        ({"crn": 10001}, "crn"),
        ({"crn": ""}, "crn"),
        ({"code": None}, "code"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SchemaError, match=name):
        read(row("10002"), row(**changes))


@pytest.mark.parametrize("name", ["crn", "code", "stat"])
def test_a_missing_field_is_named(name: str) -> None:
    broken = row()
    del broken[name]
    with pytest.raises(SchemaError, match=name):
        read(broken)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Cannot open database: fose-clss1269", WrongTermError),
        ("Down for maintenance", MaintenanceError),
        ("Your session has expired", SessionExpiredError),
        ("Please log in", SignInRequiredError),
        ("Unknown route", RouteGoneError),
        ("Segmentation fault", UpstreamError),
        ("", UpstreamError),
    ],
)
def test_a_fatal_answer_is_the_fault_that_its_text_means(text: str, error: type[RollcallError]) -> None:
    with pytest.raises(error) as raised:
        fetch(CatalogServer({"fatal": text, "results": []}))
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "body", [{}, {"count": 0}, {"results": None}, {"results": {}}, {"results": [None]}, b"[]", b"{"]
)
def test_an_answer_without_results_is_of_another_shape(body: object) -> None:
    with pytest.raises(SchemaError):
        fetch(CatalogServer(body))


@pytest.mark.parametrize("answer", [term_of(row(), srcdb="2261"), term_of(row(), row("10002", srcdb="2261"))])
def test_an_answer_about_another_term_is_refused(answer: object) -> None:
    with pytest.raises(WrongTermError):
        fetch(CatalogServer(answer))


def test_an_answer_that_states_no_term_is_accepted() -> None:
    stated = row()
    del stated["srcdb"]
    assert fetch(CatalogServer({"results": [stated]})).observations


def test_a_repeated_crn_is_a_partial_answer() -> None:
    with pytest.raises(PartialAnswerError):
        read(row(), row(no="002"))


def test_the_total_is_the_count_that_the_answer_states() -> None:
    assert fetch(CatalogServer(term_of(row(), count=7))).total == 7
    assert fetch(CatalogServer(term_of(row(), count=None))).total is None


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        (unit("10001"), {}),
        (*catalog().plan(TERM, None, known_rows=5000), {}),
        (unit(), {"count": None}),
        (unit(), {"count": 3}),
        (unit(), {"srcdb": None}),
    ],
)
def test_an_empty_answer_without_proof_is_partial(asked: Unit, changes: dict[str, Any]) -> None:
    with pytest.raises(PartialAnswerError):
        fetch(CatalogServer(term_of(**changes)), asked)


def test_a_term_that_never_had_sections_is_proved_empty_by_its_count() -> None:
    answer = fetch(CatalogServer(term_of()), unit())
    assert (answer.observations, answer.total) == ([], 0)
    assert TERM in answer.proof


def test_entities_and_names_are_read_as_text() -> None:
    (seen,) = read(row(code="A&amp;S 101", title="Law &amp; Social\n Justice", instr="P. O&#39;Brien"))
    assert (seen.details.course, seen.details.title) == ("A&S 101", "Law & Social Justice")
    assert seen.instructor == "P. O'Brien"
    named = [read(row(instr=instr))[0].instructor for instr in ("TBD", "", None)]
    assert named == [UNASSIGNED, UNASSIGNED, None]


def meeting(day: object, start: object, end: object) -> dict[str, object]:
    return {"meet_day": day, "start_time": start, "end_time": end}


@pytest.mark.parametrize(
    ("times", "displayed"),
    [
        ([meeting("0", "900", "950"), meeting("2", "900", "950")], "Mon/Wed 9:00 AM - 9:50 AM"),
        (
            [meeting("6", "0005", "1215"), meeting("1", 1800, 2050)],
            "Sun 12:05 AM - 12:15 PM; Tue 6:00 PM - 8:50 PM",
        ),
        ([], "MWF 9-9:50a"),
        ([meeting("7", "900", "950")], "MWF 9-9:50a"),
        ([meeting("", "900", "950")], "MWF 9-9:50a"),
        ([meeting("0", "2460", "950")], "MWF 9-9:50a"),
        ([meeting("0", None, "950")], "MWF 9-9:50a"),
        ("not JSON", "MWF 9-9:50a"),
        (None, "MWF 9-9:50a"),
    ],
)
def test_monday_is_day_0_and_unreadable_times_are_as_displayed(times: object, displayed: str) -> None:
    text = json.dumps(times) if isinstance(times, list) else times
    (seen,) = read(row(meetingTimes=text))
    assert seen.details.meeting_times == displayed


# --- Details ---


def test_a_row_without_counts_leads_to_its_details() -> None:
    server = CatalogServer(detail=details(LABELLED.format(30, 4)))
    (listed,) = fetch(server).observations
    asked = catalog().details(listed)
    assert asked is not None
    assert asked.covers == {listed.key}
    assert asked.scope != unit("10001").scope
    (seen,) = fetch(server, asked).observations
    assert server.payloads()[1] == {
        "group": "code:CSCI 1300",
        "key": "crn:10001",
        "srcdb": TERM,
        "matched": "crn:10001",
    }
    assert (seen.open_seats, seen.capacity, seen.is_counted) == (4, 30, True)
    assert catalog().details(seen) is None


def test_details_change_nothing_that_the_row_states() -> None:
    (listed,) = read(row())
    seen = read_details(details(MARKED.format(30, 4)))
    assert (seen.instructor, seen.details, seen.status) == (listed.instructor, listed.details, listed.status)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("capacity", "available", "seats", "is_counted"),
    [
        ("30", "14", 14, True),
        ("30", "0", 0, True),
        ("30", "-3", 0, True),
        ("0", "-3", 0, True),
        ("", "2", 2, True),
        ("", "-14", 1, False),
        ("-1", "-14", 1, False),
        ("", "", 1, False),
    ],
)
def test_a_section_is_open_as_its_counts_say_and_by_its_status_without_a_limit(
    variant: str, capacity: str, available: str, seats: int, *, is_counted: bool
) -> None:
    seen = read_details(details(variant.format(capacity, available)))
    assert (seen.open_seats, seen.is_counted) == (seats, is_counted)


@pytest.mark.parametrize(
    "text", ["", " ", "<strong>Maximum Enrollment</strong> / <strong>Seats Avail</strong>: Varies by section"]
)
def test_seats_that_are_not_stated_leave_the_status(text: str) -> None:
    seen = read_details(details(text))
    assert (seen.open_seats, seen.capacity, seen.is_counted) == (1, None, False)
    assert read_details(details(text, row(stat="F"), stat="F")).open_seats == 0


def test_a_class_without_a_label_is_read() -> None:
    assert read_details(details("Left: <span class='seats_avail'>0</span>")).open_seats == 0


@pytest.mark.parametrize(
    "text",
    [
        "<p></p>",
        "Enrollment information is hidden",
        LABELLED.format(30, "many"),
        LABELLED.format(30, ""),
        MARKED.format(30, ""),
        MARKED.format("x", 3),
        "<strong>Maximum Enrollment</strong>: 30",
        LABELLED.format(30, 3).replace(": 0", ": none"),
    ],
)
def test_seats_that_cannot_be_read_are_a_fault(text: str) -> None:
    with pytest.raises(SchemaError, match=r"seats|capacity"):
        read_details(details(text))


@pytest.mark.parametrize(
    ("waitlist", "length", "places"),
    [
        ("0", 0, None),
        ("4, Auto-Enroll", 4, None),
        ("2 of 6, Auto-Enroll", 2, 4),
        ("7 of 6", 7, 0),
        ("3 (Auto-Enroll)", 3, None),
    ],
)
def test_a_waitlist_is_read_with_its_limit(waitlist: str, length: int, places: int | None) -> None:
    text = LABELLED.format(30, 1).removesuffix("0") + waitlist
    seen = read_details(details(text))
    assert (seen.open_seats, seen.waitlist_length, seen.waitlist_places) == (1, length, places)


@pytest.mark.parametrize(
    ("most", "enrolled", "seats", "is_counted"),
    [
        ("40", "38", 2, True),
        ("40", "40", 0, True),
        (40, 43, 0, True),
        ("0", "2", 0, True),
        ("", "2", 1, False),
    ],
)
def test_counts_in_separate_fields_are_read(
    most: object, enrolled: object, seats: int, *, is_counted: bool
) -> None:
    waitlist = {"waitlist_capacity": "10", "ssbsect_wait_count": "3"}
    seen = read_details(details(None, max_enroll=most, enrollment=enrolled, **waitlist))
    assert (seen.open_seats, seen.is_counted) == (seats, is_counted)
    assert (seen.waitlist_length, seen.waitlist_places) == (3, 7)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"seats": None}, SchemaError),
        ({"seats": None, "max_enroll": "40"}, SchemaError),
        ({"seats": None, "max_enroll": "40", "enrollment": ""}, SchemaError),
        ({"crn": "10002"}, PartialAnswerError),
        ({"crn": None}, PartialAnswerError),
        ({"srcdb": "2261"}, WrongTermError),
        ({"allInGroup": [row(srcdb="2261")]}, WrongTermError),
        ({"stat": None, "allInGroup": []}, SchemaError),
        ({"stat": "B"}, SchemaError),
        ({"fatal": "Cannot open database: fose-clss1269"}, WrongTermError),
    ],
)
def test_details_that_do_not_answer_are_a_fault(changes: dict[str, Any], error: type[RollcallError]) -> None:
    with pytest.raises(error):
        read_details({**details(LABELLED.format(30, 4)), **changes})


@pytest.mark.parametrize(
    ("beside", "listed", "status"),
    [
        ("A", "F", SectionStatus.CLOSED),
        ("F", "A", SectionStatus.CLOSED),
        ("A", "W", SectionStatus.WAITLIST),
        (None, "A", SectionStatus.OPEN),
        ("A", "X", SectionStatus.CANCELLED),
    ],
)
def test_of_two_statuses_in_one_answer_the_stricter_counts(
    beside: str | None, listed: str, status: SectionStatus
) -> None:
    seen = read_details(details(LABELLED.format(30, 4), row(stat=listed), stat=beside))
    assert seen.status is status
    assert bool(seen.open_seats) is (status is SectionStatus.OPEN)


def test_details_answer_for_no_other_section_of_the_group() -> None:
    asked = catalog().details(read(row())[0])
    answer = fetch(CatalogServer(detail=details(LABELLED.format(30, 0), row(), row("10002"))), asked)
    assert [seen.key for seen in answer.observations] == [key()]


def test_details_without_a_group_have_what_they_state() -> None:
    seen = read_details(details(MARKED.format(30, 2), allInGroup=None, title="Law &amp; Order"))
    assert (seen.open_seats, seen.instructor) == (2, None)
    assert (seen.details.course, seen.details.title) == ("CSCI 1300", "Law & Order")


# --- Never a false open seat ---

_VALUES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.lists(st.integers(), max_size=2)
)
_LETTERS = st.sampled_from(["A", "F", "W", "C", "X", "B", "a", ""])


@given(
    letters=st.lists(_LETTERS, min_size=1, max_size=5),
    mutated=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(sorted(row())), _VALUES), max_size=4),
    top=st.dictionaries(st.sampled_from(["srcdb", "count", "results", "fatal"]), _VALUES, max_size=2),
    cut=st.integers(0, 5),
)
def test_no_mutation_of_a_term_is_a_false_open_seat(
    letters: list[str], mutated: list[tuple[int, str, Any]], top: dict[str, Any], cut: int
) -> None:
    rows = [row(str(10001 + number), stat=letter) for number, letter in enumerate(letters)]
    for position, name, value in mutated:
        rows[position % len(rows)][name] = value
    kept = rows[: len(rows) - cut] if cut else rows
    try:
        answer = fetch(CatalogServer(term_of(*kept, **top)))
    except RollcallError:
        return
    stated = {each["crn"]: each for each in kept}
    assert len(stated) == len(answer.observations)
    for seen in answer.observations:
        is_open = stated[seen.key.number]["stat"] == "A"
        assert (seen.open_seats or 0) <= is_open
        assert not seen.is_counted


@given(
    variant=st.sampled_from(VARIANTS),
    capacity=st.integers(0, 40),
    available=st.integers(-5, 5),
    beside=_LETTERS | st.none(),
    listed=_LETTERS,
    changes=st.dictionaries(st.sampled_from(sorted(details(""))), _VALUES, max_size=2),
)
def test_no_mutation_of_details_is_a_false_open_seat(
    variant: str, capacity: int, available: int, beside: str | None, listed: str, changes: dict[str, Any]
) -> None:
    answer = {**details(variant.format(capacity, available), row(stat=listed)), **changes, "stat": beside}
    try:
        seen = read_details(answer)
    except RollcallError:
        return
    letters = {answer["stat"], listed if answer["allInGroup"] else None} - {None}
    limit = 1 if not str(answer["seats"]).strip() else max(0, available)
    assert (seen.open_seats or 0) <= (limit if letters == {"A"} else 0)


@given(variant=st.sampled_from(VARIANTS), start=st.integers(0, 140), end=st.integers(0, 140))
def test_no_cut_of_a_full_sections_seats_is_an_open_seat(variant: str, start: int, end: int) -> None:
    whole = variant.format(30, 0)
    text = whole[: min(start, end)] + whole[max(start, end) :]
    try:
        seen = read_details(details(text))
    except SchemaError:
        return
    assert not text or not seen.open_seats


@given(st.data())
def test_no_cut_of_a_full_section_is_an_open_seat(data: st.DataObject) -> None:
    body = json.dumps(details(LABELLED.format(30, 2), row(stat="F"), stat="F")).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    try:
        seen = read_details(body[:start] + body[end:])
    except RollcallError:
        return
    assert not seen.open_seats


# --- Search and links ---


@pytest.mark.parametrize("text", ["csci 1300", "CSCI1300", " csci-1300 "])
def test_a_course_is_matched_exactly(text: str) -> None:
    neighbours = [row("10002", code="CSCI 1300L"), row("10003", code="APPM 1350", title="After CSCI 1300")]
    server = CatalogServer(term_of(row(), *neighbours))
    found = run_exchange(catalog().search(TERM, text, Session(), AT), server)
    assert [seen.key.number for seen in found] == ["10001"]
    assert server.payloads() == [
        {"other": {"srcdb": TERM}, "criteria": [{"field": "keyword", "value": "CSCI 1300"}]}
    ]


def test_a_subject_may_contain_a_hyphen() -> None:
    server = CatalogServer(term_of(row(code="CSCI-UA 101"), row("10002", code="CSCI-GA 101")))
    found = run_exchange(catalog().search(TERM, "csci-ua 101", Session(), AT), server)
    assert [seen.details.course for seen in found] == ["CSCI-UA 101"]
    assert server.payloads()[0]["criteria"][0]["value"] == "CSCI-UA 101"


def test_words_are_a_keyword_and_a_number_is_a_crn() -> None:
    server = CatalogServer(term_of(row(), row("10002")))
    found = [
        run_exchange(catalog().search(TERM, text, Session(), AT), server) for text in ("law", "10002", " ")
    ]
    assert [[seen.key.number for seen in each] for each in found] == [["10001", "10002"], ["10002"], []]
    asked = [payload["criteria"][0] for payload in server.payloads()]
    assert asked == [{"field": "keyword", "value": "law"}, {"field": "crn", "value": "10002"}]


def test_a_search_without_matches_is_empty_and_a_fault_is_a_fault() -> None:
    assert run_exchange(catalog().search(TERM, "law", Session(), AT), CatalogServer(term_of())) == []
    with pytest.raises(WrongTermError):
        run_exchange(catalog().search("1", "law", Session(), AT), CatalogServer(term_of(srcdb="2261")))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{PAGE}?details&srcdb=202401&crn=28089", SectionReference("28089", "202401")),
        (f"{PAGE}?srcdb=2267&keyword=12345", SectionReference("12345", "2267")),
        (f"{PAGE}?srcdb=999999&crn=28089", SectionReference("28089")),
        (f"{PAGE}?crn=28089", SectionReference("28089")),
        (" 2699 ", SectionReference("2699")),
        (f"{PAGE}?srcdb=2267&keyword=CSCI+1300", None),
        (f"{PAGE}?details&srcdb=202401&code=CSCI%201300", None),
        ("https://elsewhere.edu/?details&srcdb=202401&crn=28089", None),
        ("CSCI 1300", None),
        ("https://[", None),
    ],
)
def test_a_link_names_a_section_by_its_crn(link: str, expected: SectionReference | None) -> None:
    assert catalog().parse_link(link) == expected


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://cab.example.edu/api/?page=fose&route=search", "https://cab.example.edu/api/"),
        ("https://cab.example.edu/?details&srcdb=202401&crn=28089", "https://cab.example.edu/api/"),
        ("https://www.example.edu/class-search/?srcdb=1820", "https://www.example.edu/class-search/api/"),
        ("https://www.example.edu/", None),
        ("http://cab.example.edu/api/?page=fose", None),
        ("https://[", None),
    ],
)
def test_a_catalog_is_recognised_by_its_query(url: str, base: str | None) -> None:
    found = FAMILY.recognises(url)
    assert (found.base_url if found else None) == base
