"""Testudo: HTML of the sections of courses, pages of departments, and a list of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tests.standins.catalog import CampusSection, CampusStandin
from tests.standins.server import Answer

PATH = "/soc"
_COUNT = '<span class="seats-info-label"> {0}:</span> <span class="{1}">{2}</span>'
_MEETING = """<div class="class-days-container"><div class="row"><span class="section-days">TuTh</span>
  <span class="class-start-time">2:00pm</span> - <span class="class-end-time">3:15pm</span>
  <span class="building-code">ARM</span><span class="class-room">0126</span></div></div>"""


class TestudoStandin(CampusStandin):
    """Shape: sections have numbers such as STAT400-0101; a cancelled one is not shown.

    `updated` is the time of the seats in local time, "" outside of registration; `missing_rows` are courses.
    `held` is the number of people in the holdfile of every section, None where there is none.
    """

    __test__ = False  # not a test class

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("202608", "Fall 2026"), ("202605", "Summer 2026")])
        self.updated = "09/12/2026 at 7:30 AM"
        self.held: int | None = 9

    @property
    def base_url(self) -> str:
        return self.url + PATH

    def route(self, path: str) -> str:
        return path.removeprefix(f"{PATH}/")

    def expire(self) -> None:
        """Nothing: there are no sessions."""

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        term, _, name = route.partition("/")
        if name == "sections":
            return _html(self._sections(term, asked.get("courseIds", "").split(",")))
        if name:
            return _page(self._department(term, name))
        return _page(self._departments(term) if term else self._terms())

    def _listed(self, term: str) -> list[CampusSection]:
        is_known = term in dict(self.terms)
        return [each for each in self.found(term, {}) if is_known and each.stated_status != "cancelled"]

    def _terms(self) -> str:
        options = "".join(f'<option value="{code}">{label}</option>' for code, label in self.terms)
        return f'<select id="term-id-input" name="termId">{options}</select>'

    def _departments(self, term: str) -> str:
        names = sorted({_course(each)[:4] for each in self.found(term, {})})
        rows = [
            f'<div class="course-prefix row"><span class="prefix-abbrev two columns">{each}</span></div>'
            for each in names
        ]
        return "".join(rows) or "No course prefixes matched your search filters above."

    def _department(self, term: str, name: str) -> str:
        courses = {_course(each): each for each in self.found(term, {}) if _course(each).startswith(name)}
        if not courses:
            return '<div class="no-courses-message">No courses matched your search filters above.</div>'
        stamp = f'<div id="seats-update-time">Open Seats as of <div>{self.updated}</div></div>'
        listed = "".join(
            f'<div id="{course}" class="course"><span class="course-title">{escape(each.title)}</span></div>'
            for course, each in courses.items()
        )
        return (stamp if self.updated else "") + listed

    def _sections(self, term: str, courses: Sequence[str]) -> str:
        listed = self._listed(term)
        blocks = [
            f'<div id="{course}" class="course-sections"><div class="sections">{"".join(rows)}</div></div>'
            for course in courses
            if (rows := [self.row(each) for each in listed if _course(each) == course])
        ]
        return f"<div>{''.join(self.shown(blocks))}</div>"

    def row(self, section: CampusSection) -> str:
        """The HTML of a section."""
        course, _, number = section.number.partition("-")
        mark = "open-seats has-open-seats" if section.available > 0 else "open-seats"
        waiting = _COUNT.format("Waitlist", "waitlist-count", section.waiting)
        if self.held is not None:
            waiting += _COUNT.format("Holdfile", "waitlist-count", self.held)
        return f"""<div class="section delivery-f2f">
          <input type="hidden" name="sectionId" value="{number}" />
          <span class="section-id"> {number} </span>
          <span class="section-instructor">{escape(section.instructor)}</span>
          <span class="total-seats">({_COUNT.format("Total", "total-seats-count", section.capacity)},</span>
          <span class="{mark}">{_COUNT.format("Open", "open-seats-count", section.available)},</span>
          <span class="waitlist">{waiting})</span>
          <a href="#" onclick="SocJs.saveSection(this, '{course}', '{number}', '/soc');">
            <img src="/soc/star.png" /></a>{_MEETING}</div>"""


def _course(section: CampusSection) -> str:
    return section.number.partition("-")[0]


def _html(text: str) -> Answer:
    return Answer(200, text.encode(), "text/html;charset=UTF-8")


def _page(content: str) -> Answer:
    return _html(f"<!DOCTYPE html><html><body>{content}</body></html>")
