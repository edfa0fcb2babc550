from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.client import CatalogClient
from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    CatalogRequest,
    Session,
    WatchedSection,
    run_exchange,
)
from catalogs.rutgers import FAMILY, RutgersOptions
from catalogs.rutgers_answers import listed_sections
from domain.catalog import PartialAnswerError, SchemaError, SectionReference, WrongTermError
from domain.errors import RejectedError, RollcallError
from domain.observation import SectionStatus
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded
from tests.catalogs.test_client import Turns
from tests.standins.catalog import CampusSection
from tests.standins.rutgers import RutgersStandin
from tests.support.clock import FakeClock

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
BASE = "https://classes.example.edu/soc"
RECORDED = "rutgers-3-courses-prefix-3-sections.json.part"
PAGE = '<html><div id="initJsonData" style="display:none">{}</div></html>'
OPEN, CLOSED, ONLINE = "09212", "09214", "20001"


def section(index: str, **changes: object) -> dict[str, Any]:
    meeting = {"meetingDay": "M", "startTimeMilitary": "1740", "endTimeMilitary": "1900"}
    return {
        "index": index,
        "number": "01",
        "openStatus": True,
        "instructors": [{"name": "HABBAL, MANAR"}],
        "meetingTimes": [meeting],
        **changes,
    }


def course(*sections: dict[str, Any], name: str = "01:013:140", **changes: object) -> dict[str, Any]:
    return {"courseString": name, "title": "ELEMENTARY ARABIC I", "sections": list(sections), **changes}


@dataclass
class CatalogServer:
    """Answers with the lists of each campus and keeps what it was asked; an unknown value finds nothing."""

    courses: dict[str, Any] = field(
        default_factory=lambda: {
            "NB": [course(section(OPEN), section(CLOSED))],
            "ONLINE_NB": [course(section(ONLINE), name="05:300:200")],
        }
    )
    opened: dict[str, Any] = field(
        default_factory=lambda: {"NB": [OPEN, "33333"], "ONLINE_NB": [ONLINE, "44444"]}
    )
    published: tuple[str, ...] = ("92026",)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        link = urlsplit(request.url)
        if link.path == "/soc/":
            return HttpResponse(200, PAGE.format('{"currentTermDate":{"year":2026,"term":9}}').encode())
        values = {name: found[0] for name, found in parse_qs(link.query).items()}
        name = link.path.removeprefix("/soc/api/")
        self.asked.append(f"{name} {values['campus']}")
        lists = {"courses.json": self.courses, "openSections.json": self.opened}[name]
        is_published = values["term"] + values["year"] in self.published
        found = lists.get(values["campus"], []) if is_published else []
        return HttpResponse(200, found if isinstance(found, bytes) else json.dumps(found).encode())


def catalog(*campuses: str) -> Catalog:
    stated = {"base_url": BASE, **({"campuses": campuses} if campuses else {})}
    return FAMILY.build(
        CatalogIdentity("rutgers", ZoneInfo("America/New_York")), msgspec.convert(stated, RutgersOptions)
    )


def key(index: str, term: str = "92026") -> SectionKey:
    return SectionKey("rutgers", term, index)


def poll(
    server: CatalogServer,
    *indexes: str,
    session: Session | None = None,
    at: datetime = AT,
    term: str = "92026",
) -> Answer:
    (unit,) = catalog().plan(term, [WatchedSection(key(index, term)) for index in indexes] or None)
    return run_exchange(catalog().fetch(unit, session or Session(), at), server)


def seats(answer: Answer) -> dict[str, int | None]:
    return {seen.key.number: seen.open_seats for seen in answer.observations}


def test_the_recorded_sections_are_read() -> None:
    first, second, third = listed_sections(recorded(RECORDED) + b"]")
    assert [each.index for each in (first, second, third)] == ["09212", "09214", "09216"]
    assert (first.course, first.title) == ("01:013:110", "INTRODUCTION TO ARAMAIC")
    assert (first.location, first.meeting_times) == ("Online Instruction(Internet)", "")
    assert (second.taught_by, second.course) == ("HABBAL, MANAR", "01:013:140")
    assert second.location == "TIL 103D Livingston; Online Instruction(Internet)"
    assert second.meeting_times == "Mon/Wed 5:40 PM - 7:00 PM"
    assert third.meeting_times == "Mon/Wed 3:50 PM - 5:10 PM"


def test_the_recorded_answer_with_its_end_missing_is_the_wrong_shape() -> None:
    with pytest.raises(SchemaError):
        listed_sections(recorded(RECORDED))


def test_the_recorded_sections_are_open_as_the_open_list_shows_them() -> None:
    server = CatalogServer(courses={"NB": recorded(RECORDED) + b"]"}, opened={"NB": ["09212"]})
    assert seats(poll(server)) == {"09212": 1, "09214": 0, "09216": 0}


def test_a_poll_reads_both_open_lists_and_states_no_counts() -> None:
    server = CatalogServer()
    answer = poll(server, OPEN, CLOSED, ONLINE)
    assert seats(answer) == {OPEN: 1, CLOSED: 0, ONLINE: 1}
    first = next(seen for seen in answer.observations if seen.key.number == OPEN)
    assert (first.status, first.is_counted, first.capacity) == (SectionStatus.OPEN, False, None)
    assert (first.waitlist_places, first.waitlist_length) == (None, None)
    assert (first.instructor, first.details.course) == ("HABBAL, MANAR", "01:013:140")
    assert (first.details.meeting_times, first.as_of) == ("Mon 5:40 PM - 7:00 PM", None)
    assert server.asked == [
        "courses.json NB",
        "courses.json ONLINE_NB",
        "openSections.json NB",
        "openSections.json ONLINE_NB",
    ]


def test_the_courses_are_read_again_after_15_minutes() -> None:
    server, session = CatalogServer(), Session()
    poll(server, OPEN, session=session)
    server.asked.clear()
    server.opened["NB"] = [CLOSED]
    later = poll(server, OPEN, CLOSED, session=session, at=AT + timedelta(minutes=14))
    assert seats(later) == {OPEN: 0, CLOSED: 1}
    assert server.asked == ["openSections.json NB", "openSections.json ONLINE_NB"]
    poll(server, OPEN, session=session, at=AT + timedelta(minutes=15))
    assert "courses.json NB" in server.asked


def test_the_campuses_of_one_kind_share_an_open_list() -> None:
    server = CatalogServer(
        courses={"NB": [course(section(OPEN))], "NK": [course(section(CLOSED), name="21:198:101")]}
    )
    chosen = catalog("NB", "NK")
    (unit,) = chosen.plan("92026", [WatchedSection(key(OPEN)), WatchedSection(key(CLOSED))])
    server.opened["NK"] = server.opened["NB"]
    assert seats(run_exchange(chosen.fetch(unit, Session(), AT), server)) == {OPEN: 1, CLOSED: 0}
    assert [name for name in server.asked if name.startswith("open")] == ["openSections.json NB"]


def test_an_index_that_no_campus_lists_is_absent_from_a_complete_answer() -> None:
    answer = poll(CatalogServer(), OPEN, "33333")
    assert (seats(answer), answer.total) == ({OPEN: 1}, 1)


def test_an_index_in_the_open_list_that_no_course_has_is_no_section() -> None:
    answer = poll(CatalogServer(), "33333")
    assert not answer.observations
    assert answer.proof


def test_an_absence_is_not_proved_while_a_campus_lists_no_courses_but_open_sections() -> None:
    server = CatalogServer()
    server.courses["ONLINE_NB"] = []
    complete, incomplete, whole = poll(server, OPEN), poll(server, OPEN, ONLINE), poll(server)
    assert (seats(complete), complete.total) == ({OPEN: 1}, 1)
    assert (seats(incomplete), incomplete.total) == ({OPEN: 1}, 2)
    assert (seats(whole), whole.total) == ({OPEN: 1, CLOSED: 0}, 3)


def test_a_campus_without_courses_and_open_sections_has_none() -> None:
    server = CatalogServer()
    server.courses["ONLINE_NB"] = server.opened["ONLINE_NB"] = []
    assert (seats(poll(server, ONLINE)), poll(server, ONLINE).total) == ({}, 0)
    assert poll(server).total == 2


@pytest.mark.parametrize("campus", ["NB", "ONLINE_NB"])
def test_an_empty_open_list_of_a_campus_with_courses_is_partial(campus: str) -> None:
    server = CatalogServer()
    server.opened[campus] = []
    with pytest.raises(PartialAnswerError, match=campus):
        poll(server, OPEN)


def test_a_term_without_courses_is_partial() -> None:
    with pytest.raises(PartialAnswerError, match="12027"):
        poll(CatalogServer(), OPEN, term="12027")


@pytest.mark.parametrize("term", ["202609", "32026", "9202", "Fall"])
def test_a_term_of_another_form_is_not_asked_for(term: str) -> None:
    server = CatalogServer()
    with pytest.raises(WrongTermError):
        poll(server, OPEN, term=term)
    assert not server.asked


def test_a_repeated_index_is_partial_and_the_same_section_on_two_campuses_is_one() -> None:
    server = CatalogServer()
    server.courses["NB"] = [course(section(OPEN), section(OPEN))]
    with pytest.raises(PartialAnswerError, match="repeats"):
        poll(server, OPEN)
    server.courses = {"NB": [course(section(OPEN))], "ONLINE_NB": [course(section(OPEN))]}
    assert seats(poll(server)) == {OPEN: 1}
    server.courses["ONLINE_NB"] = [course(section(OPEN), name="05:300:200")]
    with pytest.raises(PartialAnswerError, match=OPEN):
        poll(server)


@pytest.mark.parametrize(
    ("lists", "body", "named"),
    [
        ("opened", [9212], "str"),
        ("opened", ["9212"], "five digits"),
        ("opened", {"error": "x"}, "array"),
        ("opened", b'["09212"', "truncated"),
        ("courses", [course(section("x"))], "five digits"),
        ("courses", [{"courseString": "01:013:140", "title": "x"}], "sections"),
        ("courses", [course(section(OPEN, instructors=None))], "instructors"),
    ],
)
def test_an_answer_of_another_shape_is_named(lists: str, body: object, named: str) -> None:
    server = CatalogServer()
    getattr(server, lists)["NB"] = body
    with pytest.raises(SchemaError, match=named):
        poll(server, OPEN)


def test_courses_without_sections_are_partial() -> None:
    with pytest.raises(PartialAnswerError):
        poll(CatalogServer(courses={"NB": [course()]}), OPEN)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HttpResponse(400, b"<html>Bad Request</html>"), RejectedError),
        (HttpResponse(200, b"<!doctype html><html></html>"), SchemaError),
    ],
)
def test_a_page_instead_of_a_list_is_a_fault(response: HttpResponse, error: type[RollcallError]) -> None:
    (unit,) = catalog().plan("92026", None)
    with pytest.raises(error):
        run_exchange(catalog().fetch(unit, Session(), AT), lambda _: response)


def test_terms_are_the_current_one_and_those_after_it_with_open_sections() -> None:
    terms = run_exchange(catalog().terms(Session()), CatalogServer(published=("92026", "02027", "72027")))
    assert [(term.code, term.label) for term in terms] == [
        ("72027", "Summer 2027"),
        ("02027", "Winter 2027"),
        ("92026", "Fall 2026"),
    ]


@pytest.mark.parametrize(
    "text",
    ["<html></html>", PAGE.format("{}"), PAGE.format('{"currentTermDate":{"year":2026,"term":3}}')],
)
def test_a_page_without_a_known_current_term_is_the_wrong_shape(text: str) -> None:
    with pytest.raises(SchemaError):
        run_exchange(catalog().terms(Session()), lambda _: HttpResponse(200, text.encode()))


def test_a_search_finds_all_words_in_any_field() -> None:
    def found(text: str) -> list[str]:
        answer = run_exchange(catalog().search("92026", text, Session(), AT), CatalogServer())
        return [seen.key.number for seen in answer]

    assert found("arabic habbal") == [OPEN, CLOSED, ONLINE]
    assert found("05:300") == [ONLINE]
    assert found(CLOSED) == [CLOSED]
    assert not found("aramaic")
    assert not found(" ")


WEBREG = "https://sims.rutgers.edu/webreg/editSchedule.htm?login=cas"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{WEBREG}&semesterSelection=92026&indexList=05972", SectionReference("05972", "92026")),
        (f"{WEBREG}&indexList=05972", SectionReference("05972")),
        (f"{WEBREG}&semesterSelection=92026&indexList=05972,05973", None),
        (f"{BASE}/#keyword?keyword=05972&semester=92026&campus=NB", SectionReference("05972", "92026")),
        (
            "https://sis.rutgers.edu/soc/#keyword?keyword=05972&semester=x",
            SectionReference("05972"),
        ),
        (f"{BASE}/#keyword?keyword=ARABIC&semester=92026", None),
        ("https://other.example.edu/soc/#keyword?keyword=05972", None),
        (" 05972 ", SectionReference("05972")),
        ("5972", None),
        ("https://[", None),
    ],
)
def test_a_link_names_an_index(link: str, expected: SectionReference | None) -> None:
    assert catalog().parse_link(link) == expected


def test_lists_are_asked_for_again_only_when_they_may_have_changed(clock: FakeClock) -> None:
    asked = []
    with RutgersStandin(CampusSection(OPEN, "01:013:140", enrolled=30)) as standin:
        client = CatalogClient(
            "rutgers", standin.base_url, user_agent="Rollcall/1", gate=Turns(), clock=clock
        )
        at_stand_in = FAMILY.build(CatalogIdentity("rutgers", UTC), RutgersOptions(base_url=standin.base_url))
        (unit,) = at_stand_in.plan("92026", None)
        for seconds in (0, 29, 31, 61):
            clock.advance(seconds)
            answer = client.run(at_stand_in.fetch(unit, client.session, clock.now()))
            asked.append((standin.routes.count("openSections"), standin.unchanged))
        standin.section(OPEN).enrolled = 29
        clock.advance(31)
        later = client.run(at_stand_in.fetch(unit, client.session, clock.now()))
    assert asked == [(2, 0), (2, 0), (4, 2), (6, 4)]
    assert (seats(answer), seats(later)) == ({OPEN: 0}, {OPEN: 1})
    assert standin.routes.count("courses") == 2


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://classes.rutgers.edu/soc/#home", "https://classes.rutgers.edu/soc"),
        ("https://sis.rutgers.edu/soc/api/courses.json", "https://sis.rutgers.edu/soc"),
        ("https://sis.rutgers.edu/oldsoc", None),
        ("http://classes.rutgers.edu/soc", None),
        ("https://[", None),
    ],
)
def test_a_catalog_is_recognised_by_its_host(url: str, base: str | None) -> None:
    found = FAMILY.recognises(url)
    assert (found.base_url if found else None) == base


def test_a_plan_is_one_unit_that_covers_the_watched_sections() -> None:
    (unit,) = catalog().plan("92026", [WatchedSection(key(OPEN)), WatchedSection(key(ONLINE))])
    assert unit.covers == {key(OPEN), key(ONLINE)}
    assert unit.requests == 2
    (whole,) = catalog().plan("92026", None)
    assert whole.covers == frozenset()
    assert not catalog().plan("92026", [])
    assert FAMILY.every_seconds == 30


INDEXES = st.integers(0, 99_999).map("{:05}".format)
VALUES = st.none() | st.booleans() | st.integers(-9, 99_999) | st.text(max_size=6) | INDEXES


@given(st.lists(VALUES, max_size=5))
def test_only_an_index_that_the_open_list_has_is_open(opened: list[object]) -> None:
    server = CatalogServer(courses={"NB": [course(section(OPEN), section(CLOSED))]}, opened={"NB": opened})
    try:
        answer = poll(server)
    except RollcallError:
        return
    assert {index for index, open_seats in seats(answer).items() if open_seats} <= set(opened)


@given(st.integers(0, 200))
def test_no_cut_of_an_open_list_is_read(length: int) -> None:
    body = json.dumps([f"{index:05}" for index in range(20)]).encode()
    server = CatalogServer()
    server.opened["NB"] = body[: min(length, len(body) - 1)]
    with pytest.raises(RollcallError):
        poll(server, OPEN)


@given(st.dictionaries(st.sampled_from(sorted(section(CLOSED))), VALUES, min_size=1, max_size=3))
def test_no_mutation_of_a_section_is_a_false_open_seat(changes: dict[str, Any]) -> None:
    server = CatalogServer(courses={"NB": [course({**section(CLOSED), **changes})]})
    try:
        answer = poll(server, CLOSED)
    except RollcallError:
        return
    assert not any(seats(answer).values())
