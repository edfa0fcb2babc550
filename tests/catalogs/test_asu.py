from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.asu import FAMILY
from catalogs.asu_answers import found, observations, terms
from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    CatalogRequest,
    FamilyOptions,
    Session,
    WatchedSection,
    run_exchange,
)
from domain.catalog import (
    BlockedError,
    CatalogTerm,
    MaintenanceError,
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SectionReference,
    SessionExpiredError,
    WrongTermError,
)
from domain.errors import RateLimitedError, RollcallError, UpstreamError
from domain.observation import UNASSIGNED, Observation, SectionStatus
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.driving import AT, answers, directly, numbers, rows
from tests.standins.asu import AsuStandin
from tests.standins.catalog import (
    FORBIDDEN,
    MAINTENANCE,
    NOT_FOUND,
    RATE_LIMITED,
    UNAVAILABLE,
    WELCOME,
    CampusSection,
)
from tests.standins.server import Answer as HttpAnswer

TERM = "2267"


def standin(*sections: CampusSection, page_rows: int = 200) -> AsuStandin:
    server = AsuStandin(*(sections or (CampusSection("10001", "CSE 110"),)))
    server.page_rows = page_rows
    return server


def catalog(server: AsuStandin) -> Catalog:
    return FAMILY.build(
        CatalogIdentity("asu", ZoneInfo("America/Phoenix")), FamilyOptions(base_url=server.base_url)
    )


def key(number: str = "10001") -> SectionKey:
    return SectionKey("asu", TERM, number)


def watched(*numbers: str, course: str = "CSE 110") -> list[WatchedSection]:
    return [WatchedSection(key(each), course) for each in numbers]


def poll(
    server: AsuStandin, watched: list[WatchedSection] | None = None, session: Session | None = None
) -> list[Answer]:
    this = catalog(server)
    send = directly(server)
    return answers(
        this, this.plan(TERM, watched), session or Session(), lambda each: run_exchange(each, send)
    )


def read(row: dict[str, Any], term: str = TERM) -> Observation:
    body = json.dumps({"classes": [row], "total": {"value": 1}}).encode()
    (seen,) = observations(found(body).items(), "asu", term, AT)
    return seen


def row(**changes: object) -> dict[str, Any]:
    """The row of the default section, with other fields of its class."""
    server = standin()
    stated = server.row(server.sections[0])
    return {**stated, "CLAS": {**stated["CLAS"], **changes}}


# The described answers


def test_a_class_in_the_first_form_is_read_with_its_texts() -> None:
    seen = read(row())
    assert (seen.key, seen.status, seen.is_counted) == (key(), SectionStatus.OPEN, True)
    assert (seen.open_seats, seen.capacity, seen.unreserved_seats) == (3, 30, 3)
    assert (seen.waitlist_places, seen.waitlist_length, seen.instructor) == (5, 0, "Ada Lovelace")
    assert (seen.details.course, seen.details.title) == ("CSE 110", "Programming & Proofs")
    assert seen.details.meeting_times == "Mon/Wed/Fri 12:20 PM - 1:10 PM"
    assert seen.details.location == "PSH152"


def test_a_class_in_the_second_form_needs_neither_term_nor_status() -> None:
    stated = {
        "CLASSNBR": "42737",
        "SUBJECT": "ABS",
        "CATALOGNBR": "302",
        "ENRLCAP": "25",
        "ENRLTOT": "4",
        "WAITTOT": "",
        "WAITCAP": "",
        "INSTRUCTORSLIST": ["Ms Julie Murphree"],
    }
    body = json.dumps({"hits": {"total": {"value": 1}, "hits": [{"_source": stated}]}}).encode()
    page = found(body)
    (seen,) = observations(page.items(), "asu", TERM, AT)
    assert (page.count, seen.key.number, seen.open_seats, seen.capacity) == (1, "42737", 21, 25)
    assert (seen.status, seen.is_counted, seen.instructor) == (None, True, "Ms Julie Murphree")
    assert (seen.waitlist_places, seen.waitlist_length, seen.unreserved_seats) == (None, None, None)


# What is open


@pytest.mark.parametrize(
    ("changes", "seats", "places"),
    [
        ({}, 3, 5),
        ({"ENRLSTAT": "C"}, 0, 0),
        ({"ENRLSTAT": "X"}, 0, 0),
        ({"ENRLSTAT": "W", "WAITTOT": "4"}, 0, 1),
        ({"ENRLTOT": "30"}, 0, 5),
        ({"ENRLTOT": "33"}, 0, 5),
        ({"ENRLTOT": "29"}, 1, 5),
        ({"ENRLTOT": "20"}, 3, 5),  # the seats that are displayed are fewer
        ({"ENRLCAP": 30, "ENRLTOT": 29}, 1, 5),
        ({"ENRLCAP": "", "ENRLTOT": ""}, 3, 5),
        ({"WAITCAP": ""}, 3, None),
    ],
)
def test_status_and_counts_decide_together(changes: dict[str, Any], seats: int, places: int | None) -> None:
    seen = read(row(**changes))
    assert (seen.open_seats, seen.waitlist_places) == (seats, places)


@pytest.mark.parametrize(("status", "seats"), [("O", 1), ("C", 0)])
def test_without_counts_the_status_decides(status: str, seats: int) -> None:
    seen = read({**row(ENRLTOT="", ENRLSTAT=status), "seatInfo": None})
    assert (seen.open_seats, seen.is_counted) == (seats, False)


@pytest.mark.parametrize(
    ("groups", "seats", "unreserved"),
    [
        (None, 3, None),
        ([], 3, 3),
        ([{"ENRL_CAP": 2, "ENRL_TOT": 0}], 1, 1),
        ([{"ENRL_CAP": 2, "ENRL_TOT": 2}], 3, 3),
        ([{"ENRL_CAP": 2, "ENRL_TOT": 5}], 3, 3),  # overbooked
        ([{"ENRL_CAP": 2, "ENRL_TOT": 0}, {"ENRL_CAP": 9, "ENRL_TOT": 0}], 0, 0),
        ([{"ENRL_CAP": 2}], 3, None),
    ],
)
def test_open_seats_that_groups_have_reserved_are_not_open(
    groups: object, seats: int, unreserved: int | None
) -> None:
    seen = read({**row(), "reservedSeatsInfo": groups})
    assert (seen.open_seats, seen.unreserved_seats) == (seats, unreserved)


@pytest.mark.parametrize(
    ("changes", "taught_by"),
    [
        ({"INSTRUCTORSLIST": ["B Two", None, "A One"]}, "B Two; A One"),
        ({"INSTRUCTORSLIST": []}, UNASSIGNED),
        ({"INSTRUCTORSLIST": ["Staff"]}, UNASSIGNED),
        ({"INSTRUCTORSFIRSTNAMELIST": None}, "Lovelace"),
        ({"INSTRUCTORSFIRSTNAMELIST": None, "INSTRUCTORSLASTNAMELIST": None}, None),
    ],
)
def test_instructors_are_named_without_their_ids(changes: dict[str, Any], taught_by: str | None) -> None:
    assert read(row(**changes)).instructor == taught_by


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"STARTTIMES": None, "ENDTIMES": None, "STARTTIME": "9:00 AM", "ENDTIME": "9:50 AM"},
            "Mon/Wed/Fri 9:00 AM - 9:50 AM",
        ),
        ({"STARTTIMES": [None], "MON": "N", "WED": "N", "FRI": "N"}, ""),
    ],
)
def test_times_are_listed_or_single_and_absent_online(changes: dict[str, Any], text: str) -> None:
    assert read(row(**changes)).details.meeting_times == text


# Answers that cannot be used


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ENRLSTAT": "H"}, "ENRLSTAT"),
        ({"ENRLTOT": "many"}, "ENRLTOT"),
        ({"ENRLTOT": None}, "ENRLTOT"),
        ({"CLASSNBR": ""}, "CLASSNBR"),
        ({"SUBJECT": None}, "SUBJECT"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SchemaError, match=field):
        read(row(**changes))


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b'{"message":"error"}', b'{"classes":null}'])
def test_an_answer_in_neither_form_is_a_changed_shape(body: bytes) -> None:
    with pytest.raises(SchemaError):
        found(body).items()


def test_a_class_of_another_term_is_the_wrong_term() -> None:
    server = standin()
    server.other_term = "2264"
    with pytest.raises(WrongTermError):
        poll(server, watched("10001"))


def test_a_class_of_another_subject_is_a_partial_answer() -> None:
    server = standin(CampusSection("10001", "MAT 110"))
    this, (unit,) = catalog(server), catalog(server).plan(TERM, watched("10001"))

    def send(request: CatalogRequest) -> HttpResponse:
        answer = {"classes": [server.row(server.sections[0])], "total": {"value": 1}}
        return HttpResponse(200, json.dumps(answer).encode())

    with pytest.raises(PartialAnswerError, match="MAT"):
        run_exchange(this.fetch(unit, Session(), AT), send)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (FORBIDDEN, BlockedError),
        (HttpAnswer(401, b""), BlockedError),
        (RATE_LIMITED, RateLimitedError),
        (MAINTENANCE, MaintenanceError),
        (NOT_FOUND, RouteGoneError),
        (UNAVAILABLE, UpstreamError),
        (WELCOME, SchemaError),
    ],
)
@pytest.mark.parametrize("route", ["terms", "classes"])
def test_each_fault_has_its_error(route: str, answer: HttpAnswer, error: type[RollcallError]) -> None:
    server = standin()
    server.failing[route] = answer
    this = catalog(server)
    (unit,) = this.plan(TERM, watched("10001"))
    exchange = this.terms(Session()) if route == "terms" else this.fetch(unit, Session(), AT)
    with pytest.raises(error):
        run_exchange(exchange, directly(server))


# Polling


def courses(*names: str) -> list[CampusSection]:
    return [CampusSection(str(10001 + place), name) for place, name in enumerate(names)]


def test_one_watched_course_of_a_subject_is_asked_for_alone() -> None:
    server = standin(*courses("CSE 110", "CSE 110", "CSE 205"))
    assert numbers(poll(server, watched("10001", "10002"))) == ["10001", "10002"]
    assert server.routes == ["classes"]


def test_several_watched_courses_are_one_search_of_their_subject() -> None:
    server = standin(*courses("CSE 110", "CSE 205", "MAT 265"))
    found = poll(server, [*watched("10001"), *watched("10002", course="CSE 205")])
    assert numbers(found) == ["10001", "10002"]
    assert found[0].total == 2


def test_a_section_without_a_known_course_is_asked_for_by_its_number() -> None:
    server = standin(*courses("CSE 110", "CSE 205"))  # both numbers are found
    assert numbers(poll(server, watched("10002", course=""))) == ["10002"]


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("as_hits", [True, False])
def test_a_whole_term_is_read_page_by_page(is_exact: bool, as_hits: bool) -> None:
    server = standin(*courses(*["CSE 110"] * 5, *["MAT 265"] * 2), page_rows=3)
    server.is_exact, server.as_hits = is_exact, as_hits
    found = poll(server)
    assert numbers(found) == [str(10001 + place) for place in range(7)]
    assert found[-1].total == 7
    assert all(answer.observations or answer.proof for answer in found)
    assert len({answer.continuation.scope for answer in found if answer.continuation}) == 1


def test_the_cost_of_a_whole_term_follows_from_its_last_size() -> None:
    this = catalog(standin())
    ((first,), (later,)) = this.plan(TERM, None), this.plan(TERM, None, 14_001)
    assert (first.requests, later.requests) == (60, 71)
    assert sum(unit.requests for unit in this.plan(TERM, watched("10001"))) == 1


def test_a_page_that_lacks_rows_is_a_partial_answer() -> None:
    server = standin(*courses(*["CSE 110"] * 4), page_rows=2)
    server.missing_rows = 1
    with pytest.raises(PartialAnswerError):
        poll(server)


def test_a_page_that_repeats_a_class_is_a_partial_answer() -> None:
    server = standin(*courses(*["CSE 110"] * 3))
    server.has_repeats = True
    with pytest.raises(PartialAnswerError, match="repeats"):
        poll(server)


def test_a_cursor_that_is_forgotten_ends_the_session() -> None:
    server = standin(*courses(*["CSE 110"] * 4), page_rows=2)
    this, send = catalog(server), directly(server)
    (unit,) = this.plan(TERM, None)
    first = run_exchange(this.fetch(unit, Session(), AT), send)
    server.expire()
    assert first.continuation is not None
    with pytest.raises(SessionExpiredError):
        run_exchange(this.fetch(first.continuation, Session(), AT), send)


def test_a_page_without_a_cursor_for_the_next_is_a_partial_answer() -> None:
    body = {"classes": [row()], "total": {"value": 2}}
    this = catalog(standin())
    (unit,) = this.plan(TERM, None)
    with pytest.raises(PartialAnswerError, match="scrollId"):
        run_exchange(this.fetch(unit, Session(), AT), lambda _: HttpResponse(200, json.dumps(body).encode()))


# What is absent


@pytest.mark.parametrize("course", ["CSE 599", ""])
def test_a_class_that_is_not_found_is_absent_once_the_term_has_shown_others(course: str) -> None:
    server, session = standin(), Session()
    for _ in range(2):
        (answer,) = poll(server, watched("90001", course=course), session)
        assert not answer.observations
        assert answer.proof
    assert server.routes == ["classes"] * 3  # the term is checked once an hour


@pytest.mark.parametrize("course", ["CSE 110", ""])
def test_an_empty_answer_in_a_term_without_classes_proves_nothing(course: str) -> None:
    server = standin()
    server.is_empty = True
    with pytest.raises(WrongTermError):
        poll(server, watched("10001", course=course))


# Terms, search and links


@pytest.mark.parametrize(
    "listed",
    [
        ["2267", "2264", "2261"],
        {"terms": [{"value": 2267, "label": "x"}, {"value": 2264}, {"value": 2261, "year": 2026}]},
        {"past": [{"STRM": "2261"}], "current": {"STRM": "2267"}, "next": [{"STRM": "2264"}]},
    ],
)
def test_terms_are_the_codes_in_the_list_whatever_its_shape(listed: object) -> None:
    assert terms(json.dumps(listed).encode()) == [
        CatalogTerm("2267", "Fall 2026"),
        CatalogTerm("2264", "Summer 2026"),
        CatalogTerm("2261", "Spring 2026"),
    ]


@pytest.mark.parametrize("body", [b"[]", b'{"terms":["Fall 2026"]}', b"2268"])
def test_a_list_without_codes_is_a_partial_answer(body: bytes) -> None:
    with pytest.raises(PartialAnswerError):
        terms(body)


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [
        ("10002", {"classNbr": ["10002"]}, ["10002"]),
        ("cse205", {"subject": ["CSE"], "catalogNbr": ["205"]}, ["10002"]),
        (" programming  & proofs", {"keywords": ["programming & proofs"]}, ["10001", "10002"]),
    ],
)
def test_a_search_is_by_number_course_or_words(
    text: str, asked: dict[str, list[str]], found: list[str]
) -> None:
    server = standin(*courses("CSE 110", "CSE 205"))
    sent: list[CatalogRequest] = []

    def send(request: CatalogRequest) -> HttpResponse:
        sent.append(request)
        return directly(server)(request)

    seen = run_exchange(catalog(server).search(TERM, text, Session(), AT), send)
    assert [each.key.number for each in seen] == found
    query = parse_qs(urlsplit(sent[0].url).query)
    assert {name: query[name] for name in asked} == asked
    assert sent[0].headers["Authorization"] == "Bearer null"


def test_an_empty_search_sends_nothing() -> None:
    server = standin()
    assert run_exchange(catalog(server).search(TERM, " ", Session(), AT), directly(server)) == []
    assert server.routes == []


LIST = "https://catalog.apps.asu.edu/catalog/classes/classlist"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{LIST}?campusOrOnlineSelection=A&classNbr=64766&term=2267", SectionReference("64766", "2267")),
        (f"{LIST}?keywords=12431&term=2267", SectionReference("12431", "2267")),
        (f"{LIST}?subject=CSE&term=2267#detailsOpen=33132-127813", SectionReference("33132", "2267")),
        (
            "https://go.oasis.asu.edu/addclass/?STRM=2267&ASU_CLASS_NBR=64766",
            SectionReference("64766", "2267"),
        ),
        (f"{LIST}?classNbr=64766", SectionReference("64766")),
        (f"{LIST}?subject=CSE&term=2267", None),
        ("https://classes.example.edu/?classNbr=64766&term=2267", None),
        (" 64766 ", SectionReference("64766")),
        ("647", None),
        ("https://[", None),
    ],
)
def test_a_link_names_a_class(link: str, expected: SectionReference | None) -> None:
    assert catalog(standin()).parse_link(link) == expected


@pytest.mark.parametrize(
    ("url", "is_known"),
    [(LIST, True), (LIST.replace("https", "http"), False), ("https://asu.edu/", False), ("https://[", False)],
)
def test_the_catalog_is_recognised_by_its_host(url: str, is_known: bool) -> None:
    options = FAMILY.recognises(url)
    assert (options is not None) == is_known
    if options is not None:
        assert (
            options.base_url
            == "https://eadvs-cscc-catalog-api.apps.asu.edu/catalog-microservices/api/v1/search"
        )


def test_a_seat_that_opens_is_seen_by_the_next_poll() -> None:
    server = standin(CampusSection("10001", "CSE 110", enrolled=30))
    (before,) = rows(poll(server, watched("10001")))
    server.section("10001").enrolled = 29
    (after,) = rows(poll(server, watched("10001")))
    assert (before.open_seats, before.status) == (0, SectionStatus.CLOSED)
    assert (after.open_seats, after.status) == (1, SectionStatus.OPEN)


# No false open seat

COUNTS = st.integers(-3, 5) | st.integers(-3, 5).map(str)
VALUES = st.none() | st.booleans() | COUNTS | st.text(max_size=4) | st.lists(COUNTS, max_size=2)
STATED = st.fixed_dictionaries({"ENRLSTAT": st.sampled_from("OCWX"), "ENRLCAP": COUNTS, "ENRLTOT": COUNTS})
SEATS = st.fixed_dictionaries({"ENRL_CAP": COUNTS, "ENRL_TOT": COUNTS})


def free(seats: dict[str, Any]) -> int:
    return int(seats["ENRL_CAP"]) - int(seats["ENRL_TOT"])


@given(STATED, SEATS, st.lists(SEATS, max_size=2))
def test_an_open_seat_needs_an_open_status_and_positive_counts(
    stated: dict[str, Any], shown: dict[str, Any], groups: list[dict[str, Any]]
) -> None:
    seen = read({**row(**stated), "seatInfo": shown, "reservedSeatsInfo": groups})
    own = min(free(shown), int(stated["ENRLCAP"]) - int(stated["ENRLTOT"]))
    expected = max(0, own - sum(max(0, free(group)) for group in groups))
    assert seen.open_seats == (expected if stated["ENRLSTAT"] == "O" else 0)


@given(st.dictionaries(st.sampled_from(sorted(row()["CLAS"])), VALUES, min_size=1, max_size=3))
def test_no_mutation_of_a_full_class_is_a_false_open_seat(changes: dict[str, Any]) -> None:
    full = {**row(ENRLSTAT="C", ENRLTOT="30"), "seatInfo": {"ENRL_CAP": 30, "ENRL_TOT": 30}}
    try:
        seen = read({**full, "CLAS": {**full["CLAS"], **changes}})
    except RollcallError:
        return
    assert not seen.open_seats


@given(st.data())
def test_a_cut_answer_is_never_read_as_open(data: st.DataObject) -> None:
    server = standin(CampusSection("10001", "CSE 110", enrolled=30))
    body = json.dumps({"classes": [server.row(server.sections[0])], "total": {"value": 1}}).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    try:
        seen = observations(found(body[:start] + body[end:]).items(), "asu", TERM, AT)
    except RollcallError:
        return
    assert not any(each.open_seats for each in seen)
