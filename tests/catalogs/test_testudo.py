from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    CatalogRequest,
    FamilyOptions,
    Session,
    Unit,
    WatchedSection,
    run_exchange,
)
from catalogs.testudo import FAMILY
from catalogs.testudo_answers import Section, read_sections
from catalogs.testudo_pages import read_department
from domain.catalog import PartialAnswerError, RouteGoneError, SchemaError, SectionReference, WrongTermError
from domain.errors import RollcallError
from domain.observation import Observation
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.catalogs.recordings import recorded

AT = datetime(2026, 9, 25, 4, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
BASE = "https://app.testudo.example.edu/soc"
CMSC351 = "umd-2-testudo-cmsc351-sections_sample.html"
STAT400 = "umd-3-testudo-stat400-specific_div.html"
TERMS = '<select id="term-id-input"><option value="202608">Fall 2026</option>{}</select>'
STAMP = '<span id="seats-update-time"><div>Open Seats as of</div><div>{}</div></span>'
PREFIXES = """<html><div class="course-prefix row"><a href="/soc/202608/STAT">
  <span class="prefix-abbrev push_one two columns">STAT</span>
  <span class="prefix-name nine columns">Statistics &amp; Probability</span></a></div></html>"""
ANNOUNCED = "09/24/2026 at 10:30 PM"
WAITLIST = '<span class="seats-info-label"> Waitlist:</span> <span class="waitlist-count">{}</span>'
HOLDFILE = '<span class="seats-info-label">Holdfile:</span> <span class="waitlist-count">{}</span>'
MEETING = (
    '<div class="row"><span class="section-days">TuTh</span><span class="class-start-time">2:00pm</span>'
    '<span class="class-end-time">3:15pm</span><span class="building-code">ARM</span>'
    '<span class="class-room">0126</span></div>'
)


def section(
    number: str = "0101", seats: int = 0, waiting: str = WAITLIST.format(0), course: str = "STAT400"
) -> str:
    shown = "open-seats has-open-seats" if seats > 0 else "open-seats"
    return (
        f'<div class="section delivery-f2f"><input type="hidden" name="sectionId" value="{number}" />'
        f'<span class="section-id"> {number} </span><span class="section-instructor">Sana Jahedi</span>'
        '<span class="seats-info-label">Total:</span><span class="total-seats-count">25</span>'
        f'<span class="{shown}"><span class="seats-info-label">Open:</span>'
        f'<span class="open-seats-count">{seats}</span></span><span class="waitlist">{waiting}</span>'
        f"<a onclick=\"SocJs.saveSection(this, '{course}', '{number}', '/soc');\"></a>"
        f'<div class="class-days-container">{MEETING}</div></div>'
    )


def block(*sections: str, course: str = "STAT400") -> str:
    return f'<div id="{course}" class="course-sections">{"".join(sections)}</div>'


def department(*courses: str, stamp: str = ANNOUNCED, without: str = "") -> str:
    listed = "".join(
        f'<div class="course" id="{course}"><span class="course-title">Title of {course}</span></div>'
        for course in courses
    )
    if without:
        listed += (
            f'<div class="course" id="{without}"><div class="individual-instruction-message">x</div></div>'
        )
    message = "" if listed else '<div class="no-courses-message">No courses matched</div>'
    return f"<html>{STAMP.format(stamp) if stamp else ''}{listed}{message}</html>"


@dataclass
class CatalogServer:
    """Answers with the sections of each course, and the pages of departments; keeps what it was asked."""

    sections: dict[str, str] = field(default_factory=lambda: {"STAT400": block(section())})
    pages: dict[str, str] = field(default_factory=lambda: {"STAT": department("STAT400")})
    terms: str = TERMS.format("")
    departments: str = PREFIXES
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: CatalogRequest) -> HttpResponse:
        link = urlsplit(request.url)
        path = link.path.removeprefix("/soc")
        self.asked.append(path)
        if path == "/":
            return HttpResponse(200, self.terms.encode())
        if path == "/202608":
            return HttpResponse(200, self.departments.encode())
        if path.endswith("/sections"):
            courses = parse_qs(link.query)["courseIds"][0].split(",")
            return HttpResponse(200, answer_to(*(self.sections.get(course, "") for course in courses)))
        return HttpResponse(200, self.pages.get(path[-4:], department(stamp="")).encode())


def answer_to(*blocks: str) -> bytes:
    return f"<div>{''.join(blocks)}</div>".encode()


def catalog() -> Catalog:
    return FAMILY.build(CatalogIdentity("umd", NEW_YORK), FamilyOptions(base_url=BASE))


def key(number: str) -> SectionKey:
    return SectionKey("umd", "202608", number)


def units(*numbers: str) -> list[Unit]:
    return catalog().plan("202608", [WatchedSection(key(number)) for number in numbers])


def poll(
    server: Callable[[CatalogRequest], HttpResponse],
    *numbers: str,
    session: Session | None = None,
    at: datetime = AT,
) -> Answer:
    (unit,) = units(*numbers)
    return run_exchange(catalog().fetch(unit, session or Session(), at), server)


def read(body: bytes, course: str = "STAT400") -> list[Observation]:
    found = read_sections(body, [course])
    return [each.observation("umd", "202608", AT, "", None) for each in found.get(course, [])]


def recorded_stat400() -> bytes:
    """The recorded sections, inside the elements that the recording lacks."""
    return answer_to(block(recorded(STAT400).decode()))


def test_the_recorded_sections_of_cmsc351_are_read() -> None:
    first, second = read(recorded(CMSC351), "CMSC351")
    assert (first.key.number, first.open_seats, first.capacity) == ("CMSC351-0101", 6, 200)
    assert (second.key.number, second.open_seats, second.capacity) == ("CMSC351-0201", 0, 90)
    assert (first.waitlist_length, second.waitlist_length) == (0, 12)
    assert (first.is_counted, first.status, first.waitlist_places) == (True, None, None)


def test_the_recorded_sections_of_stat400_are_read() -> None:
    seen = read(recorded_stat400())
    assert len(seen) == 27
    assert {each.key.number: each.open_seats for each in seen if each.open_seats} == {
        "STAT400-0113": 10,
        "STAT400-0123": 17,
    }
    assert {each.capacity for each in seen} == {25}
    waiting = {each.key.number[-4:]: each.waitlist_length for each in seen}
    assert (waiting["0111"], waiting["0131"], waiting["0331"], waiting["0433"]) == (0, 1, 15, 6)
    assert sum(length or 0 for length in waiting.values()) == 157
    first = seen[0]
    assert (first.instructor, first.details.course) == ("Jonathan Fernandes", "STAT400")
    assert first.details.location == "ARM 0131; MTH B0425"
    assert (
        first.details.meeting_times == "Mon/Wed/Fri 10:00 AM - 10:50 AM; Tue 8:00 AM - 8:50 AM (Discussion)"
    )


@pytest.mark.parametrize(
    ("waiting", "length"),
    [
        ("", None),
        (WAITLIST.format(3), 3),
        (WAITLIST.format(3) + HOLDFILE.format(9), 3),
        (HOLDFILE.format(9) + WAITLIST.format(3), 3),
        (HOLDFILE.format(9), None),
    ],
)
def test_the_waitlist_is_read_by_its_label(waiting: str, length: int | None) -> None:
    (seen,) = read(answer_to(block(section(waiting=waiting))))
    assert seen.waitlist_length == length


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Open:", "Closed:"),
        ("Waitlist:", "Queue:"),
        ('open-seats-count">0', 'open-seats-count">'),
        ('open-seats-count">0', 'open-seats-count">many'),
        ('open-seats-count">0', 'open-seats-count">4'),
        ('class="open-seats"', 'class="open-seats has-open-seats"'),
        ('open-seats-count">0', 'open-seats-count">0<b></b>0'),
        ('open-seats-count">0', 'open-seats-count">0</i>0'),
        ('class="total-seats-count"', 'class="seats-count"'),
        ('value="0101"', 'value="0102"'),
        ("'STAT400', '0101'", "'STAT400', '0102'"),
        ("'STAT400', '0101'", "'STAT401', '0101'"),
        (' id="STAT400"', ' id="STAT"'),
        ("</div></div></div></div>", "</div></div></div>"),
        ("</div></div></div></div>", "</div></div></div></div></div>"),
        ('class="course-sections"', 'class="course"'),
        ('<div class="class-days-container">', '<div class="section">'),
    ],
)
def test_html_that_contradicts_itself_is_the_wrong_shape(old: str, new: str) -> None:
    body = answer_to(block(section())).decode()
    assert old in body
    with pytest.raises(RollcallError):
        read(body.replace(old, new).encode(), "STAT" if new == ' id="STAT"' else "STAT400")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        answer_to(block(section()), block(section("0102"))),
        answer_to(block(section(course="STAT401"), course="STAT401")),
    ],
)
def test_nothing_a_repeated_course_and_another_course_are_partial(body: bytes) -> None:
    with pytest.raises(PartialAnswerError):
        read_sections(body, ["STAT400"])


def test_a_repeated_section_is_partial() -> None:
    with pytest.raises(PartialAnswerError):
        poll(CatalogServer({"STAT400": block(section(), section())}), "STAT400-0101")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Instructor: TBA", ""), ("", ""), ("<a href='x'>Sana Jahedi</a>", "Sana Jahedi")],
)
def test_an_instructor_may_be_a_link_or_unassigned(name: str, expected: str) -> None:
    (seen,) = read(answer_to(block(section().replace("Sana Jahedi", name))))
    assert seen.instructor == expected


def test_a_poll_reads_the_time_before_the_sections() -> None:
    server = CatalogServer()
    answer = poll(server, "STAT400-0101")
    assert server.asked == ["/202608/STAT", "/202608/sections"]
    assert answer.as_of == datetime(2026, 9, 25, 2, 30, tzinfo=UTC)
    (seen,) = answer.observations
    assert (seen.as_of, seen.details.title) == (answer.as_of, "Title of STAT400")
    assert (seen.details.meeting_times, seen.details.location) == ("Tue/Thu 2:00 PM - 3:15 PM", "ARM 0126")


def test_the_time_is_read_again_after_5_minutes_from_the_department_without_titles() -> None:
    server, session = CatalogServer(), Session()
    server.sections["CMSC351"] = block(section(course="CMSC351"), course="CMSC351")
    server.pages["CMSC"] = department("CMSC351", stamp="09/25/2026 at 12:05 AM")
    numbers = ("STAT400-0101", "CMSC351-0101")
    poll(server, *numbers, session=session)
    poll(server, *numbers, session=session, at=AT + timedelta(minutes=4))
    later = poll(server, *numbers, session=session, at=AT + timedelta(minutes=5))
    pages = [path[-4:] for path in server.asked if not path.endswith("/sections")]
    assert pages == ["CMSC", "STAT"]
    assert [seen.details.title for seen in later.observations] == ["Title of CMSC351", "Title of STAT400"]


def test_without_a_time_the_data_has_none() -> None:
    server = CatalogServer(pages={"STAT": department("STAT400", stamp="")})
    assert poll(server, "STAT400-0101").as_of is None


def test_a_cancelled_section_is_missing_from_a_complete_answer() -> None:
    answer = poll(CatalogServer(), "STAT400-0101", "STAT400-0909")
    assert [seen.key.number for seen in answer.observations] == ["STAT400-0101"]
    assert answer.total == 1


def test_a_course_that_its_department_does_not_list_is_absent_with_proof() -> None:
    answer = poll(CatalogServer(), "STAT499-0101", "XXXX101-0101")
    assert not answer.observations
    assert answer.total == 0
    assert "STAT499" in answer.proof


def test_a_course_for_individual_instruction_has_no_sections() -> None:
    server = CatalogServer(pages={"STAT": department("STAT400", without="STAT798")})
    assert poll(server, "STAT798-0101").total == 0


def test_a_course_that_is_listed_but_not_answered_leaves_the_answer_incomplete() -> None:
    server = CatalogServer(pages={"STAT": department("STAT400", "STAT401")})
    answer = poll(server, "STAT400-0101", "STAT401-0101")
    assert [seen.key.number for seen in answer.observations] == ["STAT400-0101"]
    assert answer.total == 2


def test_an_old_page_is_read_again_before_it_contradicts_an_answer() -> None:
    server, session = CatalogServer(pages={"STAT": department("STAT400", "STAT401")}), Session()
    poll(server, "STAT400-0101", session=session)
    server.pages["STAT"] = department("STAT400")
    later = poll(server, "STAT400-0101", "STAT401-0101", session=session, at=AT + timedelta(minutes=1))
    assert later.total == 1


def test_no_sections_at_all_of_listed_courses_is_partial() -> None:
    with pytest.raises(PartialAnswerError, match="STAT400"):
        poll(CatalogServer(sections={}), "STAT400-0101")


def test_no_sections_at_all_in_a_term_without_departments_is_partial() -> None:
    server = CatalogServer({}, {}, departments="<html>No course prefixes matched</html>")
    with pytest.raises(PartialAnswerError, match="departments"):
        poll(server, "STAT400-0101")


def test_no_sections_at_all_in_a_term_that_is_not_listed_is_the_wrong_term() -> None:
    server = CatalogServer(sections={}, pages={}, terms=TERMS.replace("202608", "202701").format(""))
    with pytest.raises(WrongTermError, match="202608"):
        poll(server, "STAT400-0101")


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HttpResponse(404, b""), RouteGoneError),
        (HttpResponse(200, b"<html><body></body></html>"), PartialAnswerError),
        (HttpResponse(200, b""), SchemaError),
    ],
)
def test_another_page_is_a_fault(response: HttpResponse, error: type[RollcallError]) -> None:
    with pytest.raises(error):
        poll(lambda _: response, "STAT400-0101")


def test_a_page_instead_of_sections_is_the_wrong_shape() -> None:
    def send(request: CatalogRequest) -> HttpResponse:
        return HttpResponse(200, department("STAT400").encode())

    with pytest.raises(SchemaError):
        poll(send, "STAT400-0101")


def test_a_time_that_cannot_be_read_and_a_page_without_its_end_are_the_wrong_shape() -> None:
    for page in (department("STAT400", stamp="13/45/2026 at 10:30 PM"), department("STAT400", stamp="soon")):
        with pytest.raises(SchemaError, match="seats-update-time"):
            read_department(page.encode(), AT, NEW_YORK)
    with pytest.raises(SchemaError, match="end"):
        read_department(department("STAT400").removesuffix("</html>").encode(), AT, NEW_YORK)


def test_terms_are_listed_newest_first() -> None:
    server = CatalogServer(
        terms=TERMS.format(
            '<option selected="selected" value="202701">Spring &#50;027</option><option value="">-'
        )
    )
    terms = run_exchange(catalog().terms(Session()), server)
    assert [(term.code, term.label) for term in terms] == [("202701", "Spring 2027"), ("202608", "Fall 2026")]
    with pytest.raises(SchemaError):
        run_exchange(catalog().terms(Session()), CatalogServer(terms="<select></select>"))


def test_a_plan_has_a_unit_for_150_courses() -> None:
    numbers = [f"STAT{100 + course}-{section:04}" for course in range(151) for section in (101, 102)]
    first, second = units(*numbers)
    assert (len(first.query.split(",")), len(first.covers)) == (150, 300)
    assert second.query == "STAT250"
    assert second.covers == {key("STAT250-0101"), key("STAT250-0102")}
    assert first.scope != second.scope
    with pytest.raises(ValueError, match="whole term"):
        catalog().plan("202608", None)


def test_a_number_of_another_form_is_absent_without_a_request() -> None:
    server = CatalogServer()
    answer = poll(server, "0101")
    assert answer.proof
    assert not server.asked
    assert [unit.query for unit in units("0101", "STAT400-0101")] == ["", "STAT400"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("STAT", ["STAT400-0101", "STAT400-0102"]),
        ("stat 400", ["STAT400-0101", "STAT400-0102"]),
        ("STAT400-0102", ["STAT400-0102"]),
        ("stat title", ["STAT400-0101", "STAT400-0102"]),
        ("stat theory", []),
        ("STAT410", []),
        ("statistics", []),
        ("XXXX", []),
        ("400", []),
        ("", ["STAT400-0101", "STAT400-0102"]),
    ],
)
def test_a_search_starts_with_a_department_or_finds_the_first(text: str, numbers: list[str]) -> None:
    server = CatalogServer({"STAT400": block(section(), section("0102"))})
    found = run_exchange(catalog().search("202608", text, Session(), AT), server)
    assert [seen.key.number for seen in found] == numbers


def test_a_term_page_without_departments_is_partial() -> None:
    page = HttpResponse(200, b"<html>No course prefixes matched your search filters above.</html>")
    with pytest.raises(PartialAnswerError):
        run_exchange(catalog().search("209908", "", Session(), AT), lambda _: page)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            f"{BASE}/search?courseId=STAT400&sectionId=0101&termId=202608",
            SectionReference("STAT400-0101", "202608"),
        ),
        (f"{BASE}/search?courseId=stat400&sectionId=0101", SectionReference("STAT400-0101")),
        (f"{BASE}/search?courseId=STAT400&sectionId=&termId=202608", None),
        (f"{BASE}/202608/STAT", None),
        ("https://other.example.edu/soc/search?courseId=STAT400&sectionId=0101", None),
        (" stat400-0101 ", SectionReference("STAT400-0101")),
        ("STAT400", None),
        ("https://[", None),
    ],
)
def test_a_link_names_a_section(link: str, expected: SectionReference | None) -> None:
    assert catalog().parse_link(link) == expected


@pytest.mark.parametrize(
    ("url", "is_testudo"),
    [
        ("https://app.testudo.umd.edu/soc/202608/STAT", True),
        ("http://app.testudo.umd.edu/soc", False),
        ("https://umd.edu/soc", False),
        ("https://[", False),
    ],
)
def test_a_catalog_is_recognised_by_its_host(url: str, is_testudo: bool) -> None:
    assert (FAMILY.recognises(url) is not None) == is_testudo


FULL = answer_to(block(section("0101"), section("0102"), section("0103", seats=7)))
OPEN = {"STAT400-0103": 7}


def is_false_open(body: bytes) -> bool:
    """Whether `body` reads as an open seat that `FULL` does not have."""
    try:
        seen = read(body)
    except RollcallError:
        return False
    return any(OPEN.get(each.key.number) != each.open_seats for each in seen if each.open_seats)


@given(st.integers(0, len(FULL) - 1))
def test_no_truncated_answer_is_read(length: int) -> None:
    with pytest.raises(RollcallError):
        read_sections(FULL[:length], ["STAT400"])


@given(st.integers(0, len(FULL)), st.integers(0, len(FULL)))
def test_no_cut_is_a_false_open_seat(start: int, end: int) -> None:
    assert not is_false_open(FULL[: min(start, end)] + FULL[max(start, end) :])


PARTS = re.findall(r"<[^>]*>|[^<]+", FULL.decode())


@given(st.data())
def test_no_removed_repeated_or_moved_element_is_a_false_open_seat(data: st.DataObject) -> None:
    parts = list(PARTS)
    for _ in range(data.draw(st.integers(1, 3))):
        part = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        for place in data.draw(st.lists(st.integers(0, len(parts)), max_size=2)):
            parts.insert(place, part)
    assert not is_false_open("".join(parts).encode())


@given(
    st.dictionaries(st.sampled_from(["Total", "Open", "Waitlist", "Holdfile"]), st.integers(-3, 3)),
    st.booleans(),
)
def test_an_open_seat_needs_a_positive_count_and_the_mark(counts: dict[str, int], shows_open: bool) -> None:
    try:
        facts = Section("STAT400", counts=counts, shows_open=shows_open).seat_facts()
    except SchemaError:
        return
    assert (facts.own, shows_open) == (counts["Open"], counts["Open"] > 0)
