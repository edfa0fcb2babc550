from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.answers import decode
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
from catalogs.hcx import FAMILY
from catalogs.hcx_answers import Reader
from catalogs.hcx_requests import HcxOptions
from catalogs.hcx_shapes import ClassDetails, Row
from domain.catalog import (
    BlockedError,
    CatalogTerm,
    MaintenanceError,
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SectionReference,
    SignInRequiredError,
    WrongTermError,
)
from domain.errors import RollcallError, UpstreamError
from domain.observation import UNASSIGNED, Observation, SectionStatus
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
HOST = "https://sis.example.edu"
SCRIPT = "{}/{}/ihprd/UVSS/SA/s/WEBLIB_HCX_CM.{}.FieldFormula.IScript_{}"
MAIN = SCRIPT.format(HOST, "psp", "H_BROWSE_CLASSES", "Main")
IDENTITY = CatalogIdentity("uva", ZoneInfo("America/New_York"))
UVA, BU = "hcx-2-uva-classdetails-open-consent.json", "hcx-5-bu-section-open-engek100.json"
SIGN_IN = HttpResponse(302, b"", b"HTTP/1.1 302 Found\r\nLocation: /psp/ihprd/?cmd=login&errorCode=106\r\n")
SIGN_IN_PAGE = HttpResponse(
    200, b"<!DOCTYPE html><html><form><input type='password' name='pwd'></form></html>"
)
MAINTENANCE = HttpResponse(200, b"<html>The system is down for scheduled maintenance.</html>")


def row(number: int = 16003, **changes: object) -> dict[str, Any]:
    return {
        "strm": "1268",
        "class_nbr": number,
        "subject": "CS",
        "catalog_nbr": "1110",
        "descr": "Programming &amp; Proofs",
        "class_stat": "A",
        "enrl_stat": "O",
        "combined_section": "N",
        "class_capacity": 30,
        "enrollment_total": 27,
        "enrollment_available": 3,
        "wait_cap": 10,
        "wait_tot": 0,
        "instructors": [{"name": "Ray Pettit"}],
        "meetings": [
            {
                "days": "MoWe",
                "start_time": "14.00.00.000000-05:00",
                "end_time": "14.50.00.000000-05:00",
                "facility_descr": "Warner Hall 209",
            }
        ],
        "reserve_caps": [],
        **changes,
    }


def class_details(number: int = 16003, **changes: object) -> dict[str, Any]:
    stated = {
        "class_number": number,
        "subject": "CS",
        "catalog_nbr": "1110",
        "course_title": "Programming &amp; Proofs",
        "status": "Open",
        "course_status": "A",
        "class_capacity": "30",
        "enrollment_total": "27",
        "enrollment_available": 3,
        "wait_list_capacity": "10",
        "wait_list_total": "0",
        "reserve_caps": [],
        "is_combined": False,
        "enrl_terms": [{"strm": "1268"}],
        **changes,
    }
    meeting = {
        "stnd_mtg_pat": "MoWe",
        "meeting_time_start": "2:00PM",
        "meeting_time_end": "2:50PM",
        "room": "Warner Hall 209",
        "instructors": [{"name": "Ray Pettit"}],
    }
    return {
        "section_info": {
            "class_details": stated,
            "class_availability": stated,
            "reserve_caps": stated["reserve_caps"],
            "is_combined": stated["is_combined"],
            "meetings": [meeting],
        },
        "class_enroll_info": {"enrl_terms": stated["enrl_terms"]},
    }


def reserve(number: int = 1, cap: int = 2, total: int = 0, **dates: str) -> dict[str, Any]:
    return {
        "rsrv_cap_nbr": number,
        "enrl_cap": cap,
        "enrl_tot": total,
        "start_dt": "03/01/2026",
        "descr": "First year",
        **dates,
    }


@dataclass
class CatalogServer:
    """Answers the requests of a catalog from the `pages` of each subject; keeps what it was asked."""

    pages: dict[str, list[list[dict[str, Any]]]] = field(default_factory=lambda: {"CS": [[row()]]})
    envelope: str = "counted"
    terms: list[str] = field(default_factory=lambda: ["1268", "1262"])
    details: dict[str, Any] = field(default_factory=class_details)
    cookies: int = 1
    asked: list[CatalogRequest] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        self.asked.append(request)
        if request.url == MAIN:
            return HttpResponse(200, b"<!DOCTYPE html><html>Browse classes</html>")
        asked = dict(parse_qsl(urlsplit(request.url).query))
        assert asked["institution"] == "UVA01"
        return HttpResponse(200, json.dumps(self.answer(self.route(request), asked)).encode())

    def answer(self, route: str, asked: dict[str, str]) -> object:
        match route:
            case "ClassSearchOptions":
                subjects = [{"subject": name, "descr": name} for name in self.pages]
                return {"subjects": subjects, "terms": [{"strm": each, "descr": ""} for each in self.terms]}
            case "ClassDetails":
                return self.details
            case _:
                return self.found(asked)

    def found(self, asked: dict[str, str]) -> object:
        page, pages = int(asked["page"]), self.pages.get(asked.get("subject", ""), [])
        if number := asked.get("class_nbr"):
            rows = [each for pages in self.pages.values() for rows in pages for each in rows]
            pages = [[each for each in rows if str(each["class_nbr"]) == number]]
        rows = pages[page - 1] if page <= len(pages) else []
        if self.envelope == "array":
            return rows
        is_stated = page == 1 and self.envelope == "counted"
        return {"classes": rows, "pageCount": len(pages) if is_stated and any(pages) else 0}

    @staticmethod
    def route(request: CatalogRequest) -> str:
        return urlsplit(request.url).path.rpartition("_")[2]

    def routes(self) -> list[str]:
        return [self.route(request) for request in self.asked]


def catalog() -> Catalog:
    options = HcxOptions(base_url=HOST, site="ihprd", node="UVSS", institution="UVA01")
    return FAMILY.build(IDENTITY, options)


def key(number: int = 16003) -> SectionKey:
    return SectionKey("uva", "1268", str(number))


def unit(*numbers: int, course: str = "CS 1110") -> Unit:
    (planned,) = catalog().plan("1268", [WatchedSection(key(each), course) for each in numbers or (16003,)])
    return planned


def poll(server: CatalogServer, first: Unit, session: Session | None = None) -> list[Answer]:
    """The answers to `first` and all its continuations."""
    kept = session or Session()

    def answers() -> Iterator[Answer]:
        following: Unit | None = first
        while following is not None:
            answer = run_exchange(catalog().fetch(following, kept, AT), server)
            yield answer
            following = answer.continuation

    return list(answers())


def numbers(answers: list[Answer]) -> list[str]:
    return [seen.key.number for answer in answers for seen in answer.observations]


def read(*rows: dict[str, Any], term: str = "1268", at: datetime = AT) -> list[Observation]:
    return Reader(IDENTITY, term, at).rows(decode(json.dumps(rows).encode(), list[Row], "HighPoint"))


def read_details(answer: dict[str, Any], number: str = "16003", term: str = "1268") -> Observation:
    return Reader(IDENTITY, term, AT).details(
        decode(json.dumps(answer).encode(), ClassDetails, "HighPoint"), number
    )


# The recorded answers


def test_the_recorded_row_of_boston_university_is_an_open_section() -> None:
    (seen,) = read(json.loads(recorded(BU)), term="2248")
    assert (seen.key.number, seen.status, seen.is_counted) == ("20231", SectionStatus.OPEN, True)
    assert (seen.open_seats, seen.capacity, seen.unreserved_seats) == (59, 480, None)
    assert (seen.waitlist_places, seen.waitlist_length, seen.instructor) == (0, 0, UNASSIGNED)
    assert (seen.details.course, seen.details.title) == ("ENGEK 100", "Freshman Advising Seminar")
    assert (seen.details.meeting_times, seen.details.location) == ("", "")


def test_the_recorded_details_of_virginia_are_open_without_reserved_seats() -> None:
    answer, _ = json.JSONDecoder().raw_decode(recorded(UVA).decode())
    seen = read_details(answer, "16688", "1232")
    assert (seen.open_seats, seen.unreserved_seats, seen.capacity) == (26, 26, 30)
    assert (seen.status, seen.waitlist_places, seen.waitlist_length) == (SectionStatus.OPEN, 0, 0)
    assert seen.instructor == "Farzad Shafiei Dizaji"
    assert (seen.details.course, seen.details.title) == ("APMA 1090", "Single Variable Calculus I")
    assert seen.details.location == "Thornton Hall D222; Olsson Hall 011"
    assert seen.details.meeting_times == "MoWeFr 1:00 PM - 1:50 PM; Th 1:00 PM - 1:50 PM"


def test_the_second_recorded_document_of_virginia_is_a_row_in_python_notation() -> None:
    text = recorded(UVA).decode()
    _, end = json.JSONDecoder().raw_decode(text)
    (seen,) = read(ast.literal_eval(text[end:].strip().partition("\n")[0]), term="1232")
    assert (seen.key.number, seen.status) == ("18754", SectionStatus.OPEN)
    assert (seen.open_seats, seen.capacity, seen.instructor) == (8, 12, "David Getsy")
    assert seen.details.course == "ARAH 9565"
    assert seen.details.title == "Seminar in Art Theory, Comparative & Other Topics"
    assert seen.details.location == "Fayerweather Hall 206"
    assert seen.details.meeting_times == "Th 3:30 PM - 6:00 PM"


# What is open


@pytest.mark.parametrize(
    ("changes", "seats", "places"),
    [
        ({}, 3, 10),
        ({"enrl_stat": "C", "enrollment_available": 1}, 0, 0),
        ({"enrl_stat": "W", "wait_tot": 4}, 0, 6),
        ({"enrollment_available": 0}, 0, 10),
        ({"enrollment_available": -2}, 0, 10),
        ({"enrollment_total": 30}, 0, 10),
        ({"enrollment_total": 29}, 1, 10),
        ({"combined_section": "Y", "enrollment_available": 2, "enrollment_total": 30}, 2, 10),
        ({"combined_section": "Y", "enrollment_available": 0}, 0, 10),
        ({"class_stat": "S"}, 0, 0),
        ({"class_stat": "T"}, 0, 0),
        ({"class_stat": "X"}, 0, 0),
        ({"wait_cap": 0, "wait_tot": 0}, 3, 0),
    ],
)
def test_status_and_counts_of_a_row_decide_together(changes: dict[str, Any], seats: int, places: int) -> None:
    (seen,) = read(row(**changes))
    assert (seen.open_seats, seen.waitlist_places) == (seats, places)


def test_a_cancelled_class_is_stated_as_cancelled() -> None:
    (seen,) = read(row(class_stat="X"))
    assert seen.status is SectionStatus.CANCELLED


@pytest.mark.parametrize(
    ("changes", "seats"),
    [
        ({}, 3),
        ({"status": "Closed", "enrollment_available": 1}, 0),
        ({"status": "Wait List"}, 0),
        ({"course_status": "X"}, 0),
        ({"enrollment_available": "3"}, 3),
        ({"enrollment_total": "30"}, 0),
        ({"is_combined": True, "enrollment_total": "30"}, 3),
    ],
)
def test_status_and_counts_of_details_decide_together(changes: dict[str, Any], seats: int) -> None:
    assert read_details(class_details(**changes)).open_seats == seats


@pytest.mark.parametrize(
    ("caps", "unreserved"),
    [
        ([reserve(cap=2)], 1),
        ([reserve(cap=2, total=2)], 3),
        ([reserve(cap=2, total=5)], 3),
        ([reserve(1, 2), reserve(2, 1)], 0),
        ([reserve(cap=20)], 0),
        ([reserve(cap=2, end_dt="09/11/2026")], 3),
        ([reserve(cap=2, end_dt="09/12/2026")], 1),
        ([reserve(cap=2, start_dt="09/13/2026")], 3),
        ([reserve(cap=3), reserve(cap=1, start_dt="08/01/2026")], 2),
        ([reserve(cap=1, start_dt="08/01/2026"), reserve(cap=3)], 2),
        ([reserve(cap=3), reserve(cap=0, start_dt="08/01/2026")], 3),
        ([reserve(cap=2, start_dt="")], 1),
    ],
)
def test_open_seats_that_groups_have_reserved_today_are_not_open(
    caps: list[dict[str, Any]], unreserved: int
) -> None:
    (listed,) = read(row(reserve_caps=caps))
    detailed = read_details(class_details(reserve_caps=caps))
    assert listed.open_seats == listed.unreserved_seats == unreserved
    assert detailed.open_seats == detailed.unreserved_seats == unreserved


def test_a_reservation_ends_with_the_day_of_the_catalog_not_with_that_of_utc() -> None:
    late = datetime(2026, 9, 13, 2, 0, tzinfo=UTC)
    (seen,) = read(row(reserve_caps=[reserve(end_dt="09/12/2026")]), at=late)
    assert seen.open_seats == 1


def test_only_an_open_row_without_reserved_seats_needs_its_details() -> None:
    open_row, full, reserved = read(row(), row(2, enrollment_available=0), row(3, reserve_caps=[reserve()]))
    needed = catalog().details(open_row)
    assert needed is not None
    assert needed.covers == {key()}
    assert catalog().details(full) is None
    assert catalog().details(reserved) is None
    (answer,) = poll(CatalogServer(), needed)
    (seen,) = answer.observations
    assert (seen.key, seen.unreserved_seats) == (key(), 3)
    assert catalog().details(seen) is None


def test_a_row_and_its_details_state_the_same_texts() -> None:
    (listed,) = read(row())
    detailed = read_details(class_details())
    assert listed.details == detailed.details
    assert listed.details.meeting_times == "MoWe 2:00 PM - 2:50 PM"
    assert listed.details.title == "Programming & Proofs"
    assert listed.instructor == detailed.instructor == "Ray Pettit"


def test_the_details_of_another_institution_are_a_partial_answer() -> None:
    server = CatalogServer(details=class_details(institution="UVA02"))
    needed = catalog().details(read(row())[0])
    assert needed is not None
    with pytest.raises(PartialAnswerError, match="UVA02"):
        poll(server, needed)


@pytest.mark.parametrize(
    ("stated", "displayed"),
    [
        ("00.05.00.000000", "12:05 AM"),
        ("12.00.00.000000", "12:00 PM"),
        ("09:30 AM", "9:30 AM"),
        ("1:00pm", "1:00 PM"),
        ("TBA", "TBA"),
    ],
)
def test_times_have_one_form(stated: str, displayed: str) -> None:
    (seen,) = read(row(meetings=[{"start_time": stated}]))
    assert seen.details.meeting_times == displayed


@pytest.mark.parametrize(
    ("people", "taught_by"),
    [
        (None, None),
        ([], UNASSIGNED),
        ([{"name": "-"}], UNASSIGNED),
        ([{"name": "To be Announced"}], UNASSIGNED),
        ([{"name": "B Two"}, {"name": "A One"}, {"name": "B Two"}], "A One; B Two"),
    ],
)
def test_instructors_are_sorted_names_without_placeholders(people: object, taught_by: str | None) -> None:
    (seen,) = read(row(instructors=people))
    assert seen.instructor == taught_by


# Answers that cannot be used


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"enrl_stat": "H"}, "enrl_stat"),
        ({"enrl_stat": ""}, "enrl_stat"),
        ({"class_stat": "Z"}, "class_stat"),
        ({"combined_section": "P"}, "combined_section"),
        ({"class_nbr": "16003"}, "class_nbr"),
        ({"class_nbr": 0}, "class_nbr"),
        ({"enrollment_available": "3"}, "enrollment_available"),
        ({"enrollment_available": None}, "enrollment_available"),
        ({"class_capacity": True}, "class_capacity"),
        ({"reserve_caps": [{"rsrv_cap_nbr": 1, "enrl_tot": 0}]}, "enrl_cap"),
        ({"reserve_caps": [reserve(start_dt="2026-03-01")]}, "start_dt"),
        ({"reserve_caps": [reserve(end_dt="13/45/2026")]}, "end_dt"),
    ],
)
def test_a_field_of_a_row_that_cannot_be_read_is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SchemaError, match=name):
        read(row(**changes))


@pytest.mark.parametrize("name", ["strm", "class_nbr", "enrl_stat", "enrollment_available", "wait_cap"])
def test_a_row_without_a_required_field_is_a_changed_shape(name: str) -> None:
    with pytest.raises(SchemaError, match=name):
        read({stated: value for stated, value in row().items() if stated != name})


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"status": "Held"}, "status"),
        ({"status": ""}, "status"),
        ({"course_status": "I"}, "course_status"),
        ({"enrollment_available": ""}, "enrollment_available"),
        ({"enrollment_total": "4 of 30"}, "enrollment_total"),
        ({"class_capacity": "٣"}, "class_capacity"),
        ({"is_combined": "N"}, "is_combined"),
        ({"reserve_caps": None}, "reserve_caps"),
    ],
)
def test_a_field_of_details_that_cannot_be_read_is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SchemaError, match=name):
        read_details(class_details(**changes))


def test_rows_and_details_of_another_term_are_the_wrong_term() -> None:
    with pytest.raises(WrongTermError):
        read(row(), row(2, strm="1262"))
    with pytest.raises(WrongTermError):
        read_details(class_details(enrl_terms=[{"strm": "1262"}]))


def test_details_that_state_no_terms_are_of_the_term_asked_for() -> None:
    assert read_details(class_details(enrl_terms=[])).key == key()


def test_details_of_another_class_are_a_partial_answer() -> None:
    with pytest.raises(PartialAnswerError):
        read_details(class_details(99))


def test_a_repeated_class_is_a_partial_answer() -> None:
    with pytest.raises(PartialAnswerError):
        read(row(), row())


def test_an_error_object_is_a_changed_shape() -> None:
    server = CatalogServer(details={"error": "Class not found"})
    (seen,) = read(row())
    needed = catalog().details(seen)
    assert needed is not None
    with pytest.raises(SchemaError, match="section_info"):
        poll(server, needed)


# Pages


def test_a_plan_has_one_unit_for_each_subject_and_unknown_section() -> None:
    watched = [
        WatchedSection(key(1), "CS 1110"),
        WatchedSection(key(2), "CS 2100"),
        WatchedSection(key(3), "C S 101"),
        WatchedSection(key(4)),
    ]
    planned = catalog().plan("1268", watched)
    assert [each.scope for each in planned] == ["1268 class 4", "1268 courses C S 101", "1268 courses CS"]
    assert [each.covers for each in planned] == [{key(4)}, {key(3)}, {key(1), key(2)}]
    assert catalog().plan("1268", []) == []


def test_the_first_poll_sets_the_cookies_and_the_next_is_one_request() -> None:
    server, session = CatalogServer(), Session()
    assert numbers(poll(server, unit(), session)) == ["16003"]
    assert server.routes() == ["Main", "ClassSearch"]
    assert server.asked[0].url == MAIN
    server.asked.clear()
    poll(server, unit(), session)
    (request,) = server.asked
    assert request.url == (
        SCRIPT.format(HOST, "psc", "H_CLASS_SEARCH", "ClassSearch")
        + "?institution=UVA01&term=1268&subject=CS&catalog_nbr=1110&page=1"
    )


@pytest.mark.parametrize(("envelope", "requests"), [("counted", 3), ("uncounted", 4), ("array", 4)], ids=str)
def test_every_page_of_a_subject_is_read_in_each_envelope(envelope: str, requests: int) -> None:
    server = CatalogServer({"CS": [[row(1), row(2)], [row(3), row(4)], [row(5)]]}, envelope)
    answers = poll(server, unit(1, 5))
    assert numbers(answers) == ["1", "2", "3", "4", "5"]
    assert server.routes().count("ClassSearch") == requests
    assert all(answer.observations or answer.proof for answer in answers)
    assert {answer.continuation.scope for answer in answers if answer.continuation} == {
        "1268 courses CS 1110"
    }


def test_a_page_that_is_empty_before_the_last_is_a_partial_answer() -> None:
    with pytest.raises(PartialAnswerError):
        poll(CatalogServer({"CS": [[row(1)], [], [row(2)]]}), unit())


@pytest.mark.parametrize("envelope", ["counted", "array"])
def test_a_catalog_that_ignores_the_page_is_a_partial_answer(envelope: str) -> None:
    same = [row(1), row(2)]
    with pytest.raises(PartialAnswerError, match="repeats"):
        poll(CatalogServer({"CS": [same, same]}, envelope), unit())


def test_a_subject_without_classes_is_empty_once_another_has_shown_some() -> None:
    server, session = CatalogServer({"CS": [[]], "ART": [[row(1)]]}), Session()
    for _ in range(2):
        (answer,) = poll(server, unit(), session)
        assert not answer.observations
        assert answer.proof
    searches = server.routes().count("ClassSearch")
    assert (searches, server.routes().count("ClassSearchOptions")) == (4, 1)  # checked once an hour


@pytest.mark.parametrize("course", ["CS 1110", ""])
def test_a_search_that_finds_nothing_at_all_proves_nothing(course: str) -> None:
    with pytest.raises(PartialAnswerError, match="no search"):
        poll(CatalogServer({"CS": [[]], "ART": [[]]}), unit(course=course))


@pytest.mark.parametrize("course", ["CS 1110", ""])
def test_an_empty_search_in_a_term_that_is_not_listed_is_the_wrong_term(course: str) -> None:
    with pytest.raises(WrongTermError):
        poll(CatalogServer({"CS": [[]]}, terms=["1272"]), unit(course=course))


def test_a_class_that_changes_its_page_between_two_requests_is_found_by_its_number() -> None:
    class Moving(CatalogServer):
        def found(self, asked: dict[str, str]) -> object:
            answer = super().found(asked)
            if asked.get("subject") and asked["page"] == "1":
                self.pages = {"CS": [[row(2), row(3)], [row(4)]]}  # class 1 ends: class 3 moves up
            return answer

    server = Moving({"CS": [[row(1), row(2)], [row(3), row(4)]]})
    assert numbers(poll(server, unit(3))) == ["1", "2", "4", "3"]


def test_a_class_on_no_page_and_under_no_number_is_absent_with_proof() -> None:
    server = CatalogServer({"CS": [[row(1)], [row(2)]]})
    answers = poll(server, unit(2, 77, 78))
    assert numbers(answers) == ["1", "2"]
    assert [bool(answer.observations or answer.proof) for answer in answers] == [True] * 4
    assert "class 78" in answers[-1].proof


def test_a_class_that_is_missing_from_a_single_page_needs_no_further_request() -> None:
    server = CatalogServer()
    poll(server, unit(77))
    assert server.routes() == ["Main", "ClassSearch"]


def test_a_section_whose_course_is_not_known_is_searched_by_its_number() -> None:
    server = CatalogServer({"CS": [[row(1), row(2)]]})
    assert numbers(poll(server, unit(2, course=""))) == ["2"]


def test_a_catalog_that_ignores_the_class_number_is_a_partial_answer() -> None:
    class Ignoring(CatalogServer):
        def found(self, asked: dict[str, str]) -> object:
            return {"classes": [row(1), row(2)], "pageCount": 1}

    with pytest.raises(PartialAnswerError):
        poll(Ignoring(), unit(3, course=""))


def test_a_whole_term_is_read_subject_by_subject() -> None:
    server = CatalogServer({"CS": [[row(1)], [row(2)]], "ART": [[]], "BIOL": [[row(3)]]})
    (first,) = catalog().plan("1268", None)
    answers = poll(server, first)
    assert numbers(answers) == ["1", "2", "3"]
    assert all(answer.observations or answer.proof for answer in answers)
    assert {answer.continuation.scope for answer in answers if answer.continuation} == {first.scope}


def test_a_whole_term_without_subjects_is_a_partial_answer() -> None:
    (first,) = catalog().plan("1268", None)
    with pytest.raises(PartialAnswerError):
        poll(CatalogServer({}), first)


# Sessions


def test_terms_are_those_of_the_search_form() -> None:
    server = CatalogServer()
    assert run_exchange(catalog().terms(Session()), server) == [
        CatalogTerm("1268", "1268"),
        CatalogTerm("1262", "1262"),
    ]


def test_a_search_form_without_terms_is_a_partial_answer() -> None:
    with pytest.raises(PartialAnswerError):
        run_exchange(catalog().terms(Session()), CatalogServer(terms=[]))


@pytest.mark.parametrize("expired", [SIGN_IN, SIGN_IN_PAGE, HttpResponse(200, b"<html>Home</html>")])
def test_cookies_that_have_expired_are_renewed_once(expired: HttpResponse) -> None:
    server, session = CatalogServer(), Session()
    poll(server, unit(), session)
    server.asked.clear()
    refused = iter([expired])

    def send(request: CatalogRequest) -> HttpResponse:
        answer = server(request)
        return next(refused, answer) if request.url != MAIN else answer

    answer = run_exchange(catalog().fetch(unit(), session, AT), send)
    assert answer.observations
    assert server.routes() == ["ClassSearch", "Main", "ClassSearch"]


FAULTS = [
    (SIGN_IN, SignInRequiredError),
    (SIGN_IN_PAGE, SignInRequiredError),
    (MAINTENANCE, MaintenanceError),
    (HttpResponse(403, b""), BlockedError),
    (HttpResponse(401, b""), BlockedError),
    (HttpResponse(404, b""), RouteGoneError),
    (HttpResponse(500, b""), UpstreamError),
]


@pytest.mark.parametrize(("response", "error"), FAULTS)
def test_a_first_page_that_is_not_the_catalog_is_the_fault_that_it_shows(
    response: HttpResponse, error: type[RollcallError]
) -> None:
    with pytest.raises(error):
        run_exchange(catalog().fetch(unit(), Session(), AT), lambda _: response)


@pytest.mark.parametrize(
    ("response", "error"),
    [*FAULTS, (HttpResponse(200, b"<html>Home</html>"), SchemaError), (HttpResponse(200, b""), SchemaError)],
)
def test_an_answer_to_new_cookies_that_is_not_data_is_the_fault_that_it_shows(
    response: HttpResponse, error: type[RollcallError]
) -> None:
    server = CatalogServer()
    with pytest.raises(error):
        run_exchange(
            catalog().fetch(unit(), Session(), AT),
            lambda request: server(request) if request.url == MAIN else response,
        )


# Search and links


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("16003", {"class_nbr": "16003"}),
        ("cs 1110", {"subject": "CS", "catalog_nbr": "1110"}),
        ("CS1110", {"subject": "CS", "catalog_nbr": "1110"}),
        (" intro to  programming", {"keyword": "intro to programming"}),
    ],
)
def test_a_search_is_by_number_course_or_keyword(text: str, asked: dict[str, str]) -> None:
    server = CatalogServer()
    run_exchange(catalog().search("1268", text, Session(), AT), server)
    query = dict(parse_qsl(urlsplit(server.asked[-1].url).query))
    assert query == {"institution": "UVA01", "term": "1268", "page": "1", **asked}


def test_an_empty_search_sends_nothing() -> None:
    server = CatalogServer()
    assert run_exchange(catalog().search("1268", "  ", Session(), AT), server) == []
    assert not server.asked


DETAILS_LINK = SCRIPT.format(HOST, "psc", "H_CLASS_DETAILS", "Main")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            f"{DETAILS_LINK}?institution=UVA01&term=1268&class_nbr=16003",
            SectionReference("16003", "1268"),
        ),
        (f"{DETAILS_LINK}?class_nbr=16003", SectionReference("16003")),
        (f"{DETAILS_LINK}?institution=UVA02&term=1268&class_nbr=16003", None),
        (f"{DETAILS_LINK}?institution=UVA01&term=1268", None),
        (DETAILS_LINK.replace("sis.", "other.") + "?class_nbr=16003", None),
        (f"{HOST}/psc/ihprd/UVSS/SA/c/OTHER?class_nbr=16003", None),
        (
            "https://m.example.edu/app/catalog/classsection/UVA01/1268/16003",
            SectionReference("16003", "1268"),
        ),
        ("https://m.example.edu/app/catalog/classsection/UVA02/1268/16003", None),
        ("https://m.other.edu/app/catalog/classsection/UVA01/1268/16003", None),
        ("16003", SectionReference("16003")),
        ("CS 1110", None),
        ("https://[", None),
    ],
)
def test_a_link_names_a_section_by_its_class_number(link: str, expected: SectionReference | None) -> None:
    assert catalog().parse_link(link) == expected


def test_a_catalog_is_recognised_by_its_address_and_institution() -> None:
    url = "https://public.mybustudent.bu.edu/psp/BUPRD/EMPLOYEE/SA/s/WEBLIB_HCX_CM.H_CLASS_SEARCH.X"
    assert FAMILY.recognises(f"{url}?institution=BU001") == HcxOptions(
        base_url="https://public.mybustudent.bu.edu", site="BUPRD", institution="BU001"
    )
    assert FAMILY.recognises(url) is None
    assert FAMILY.recognises(f"{url}?institution=BU001".replace("https", "http")) is None
    assert FAMILY.recognises("https://public.mybustudent.bu.edu/psp/BUPRD/?institution=BU001") is None
    assert FAMILY.recognises("https://[") is None


# No false open seat


COUNTS = st.integers(-3, 5)
CAPS = st.lists(st.builds(reserve, st.integers(1, 2), COUNTS, COUNTS), max_size=2)
STATED = st.fixed_dictionaries(
    {
        "enrl_stat": st.sampled_from("OCW"),
        "class_stat": st.sampled_from("ASTX"),
        "combined_section": st.sampled_from("YN"),
        "class_capacity": COUNTS,
        "enrollment_total": COUNTS,
        "enrollment_available": COUNTS,
        "reserve_caps": CAPS,
    }
)
TEXTS = {"O": "Open", "C": "Closed", "W": "Wait List"}
VALUES = st.none() | st.booleans() | COUNTS | st.text(max_size=4) | st.lists(COUNTS, max_size=2)


COUNTED = ("class_capacity", "enrollment_total", "enrollment_available")
FIELDS = sorted(class_details()["section_info"]["class_details"])


def as_details(stated: dict[str, Any]) -> dict[str, Any]:
    """The fields of details that state what the row `stated` does."""
    return {
        "status": TEXTS[stated["enrl_stat"]],
        "course_status": stated["class_stat"],
        "is_combined": stated["combined_section"] == "Y",
        "reserve_caps": stated["reserve_caps"],
        **{name: str(stated[name]) for name in COUNTED},
    }


def allowed(stated: dict[str, Any]) -> int:
    """The most seats that may be announced for `stated`."""
    if (stated["enrl_stat"], stated["class_stat"]) != ("O", "A"):
        return 0
    counts: list[int] = [stated["enrollment_available"]]
    if stated["combined_section"] == "N":
        counts.append(stated["class_capacity"] - stated["enrollment_total"])
    caps = {cap["rsrv_cap_nbr"]: cap for cap in stated["reserve_caps"]}.values()
    reserved: int = sum(max(0, cap["enrl_cap"] - cap["enrl_tot"]) for cap in caps)
    return max(0, min(counts) - reserved)


@given(STATED)
def test_an_open_seat_needs_an_open_status_and_positive_counts_in_both_answers(
    stated: dict[str, Any],
) -> None:
    (listed,) = read(row(**stated))
    detailed = read_details(class_details(**as_details(stated)))
    assert listed.open_seats == detailed.open_seats == allowed(stated)


@given(STATED, st.dictionaries(st.sampled_from(sorted(row())), VALUES, min_size=1, max_size=3))
def test_no_mutation_of_a_row_is_a_false_open_seat(stated: dict[str, Any], changes: dict[str, Any]) -> None:
    mutated = row(**{**stated, **changes})
    try:
        (seen,) = read(mutated)
    except RollcallError:
        return
    assert (seen.open_seats or 0) <= allowed(mutated)


@given(STATED, st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3))
def test_no_mutation_of_details_is_a_false_open_seat(stated: dict[str, Any], changes: dict[str, Any]) -> None:
    mutated = {**as_details(stated), **changes}
    try:
        seen = read_details(class_details(**mutated))
    except RollcallError:
        return
    status = "".join(mutated["status"].replace("-", "").split()).casefold()
    as_row = {
        "enrl_stat": "O" if status == "open" else "C",
        "class_stat": mutated["course_status"],
        "combined_section": "Y" if mutated["is_combined"] else "N",
        "reserve_caps": mutated["reserve_caps"],
        **{name: int(mutated[name]) for name in COUNTED},
    }
    assert (seen.open_seats or 0) <= allowed(as_row)


@given(st.data(), st.sampled_from([[row(enrl_stat="C", enrollment_available=0, enrollment_total=30)]]))
def test_a_truncated_answer_is_never_read_as_open(data: st.DataObject, rows: list[dict[str, Any]]) -> None:
    body = json.dumps(rows).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    try:
        found = Reader(IDENTITY, "1268", AT).rows(decode(body[:start] + body[end:], list[Row], "HighPoint"))
    except RollcallError:
        return
    assert not any(seen.open_seats for seen in found)
