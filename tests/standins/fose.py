"""A class search of CourseLeaf (FOSE): a page with cookies, rows with a status, and details with counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tests.standins.catalog import CampusSection, CampusStandin, entities, json_answer
from tests.standins.server import Answer

EXPIRED = json_answer({"fatal": "Your session has expired"})
NO_SUCH_TERM = json_answer({"fatal": "Cannot open database: fose-clss"})
LABELLED = (
    "<strong>Maximum Enrollment</strong>: {0} / <strong>Seats Avail</strong>: {1}<br/>"
    "<strong>Waitlist Total</strong>: {2} of {3}"
)
MARKED = (
    '<strong>Maximum Enrollment:</strong> <span class="seats_max">{0}</span> / '
    '<strong>Seats Avail:</strong> <span class="seats_avail">{1}</span>'
)
_LETTERS = {"open": "A", "waitlist": "W", "closed": "F", "cancelled": "X"}
_WELCOME = Answer(302, b"", headers={"Location": "/"})


class FoseStandin(CampusStandin):
    """Shape: `seats` is the HTML of the counts; the rows of `stale` numbers are "open" without seats too."""

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("2267", "Fall 2026"), ("2264", "Summer 2026")])
        self.seats = LABELLED
        self.stale: set[str] = set()
        self._cookies: set[str] = set()

    @property
    def base_url(self) -> str:
        return f"{self.url}/api/"

    def route(self, path: str) -> str:
        return path.removeprefix("/").removesuffix("/")

    def expire(self) -> None:
        self._cookies.clear()

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if not route:
            return self._home()
        if method != "POST" or route != "api" or asked.get("page") != "fose":
            return Answer(404, b"")
        if self._is_open and headers.get("cookie", "") not in self._cookies:
            return _WELCOME
        self.routes[-1] = asked["route"]
        if found := self.failing.get(asked["route"]):
            return found
        payload = json.loads(unquote(body.decode()))
        return self._details(payload) if asked["route"] == "details" else self._search(payload)

    def _home(self) -> Answer:
        listed = [{"code": "999999", "name": "Any Term"}]
        listed += [{"code": code, "name": entities(label)} for code, label in self.terms]
        cookie = f"IDMSESSID=session{len(self._cookies)}"
        self._cookies.add(cookie)
        page = f"<!doctype html><script>var config = {{srcDBs: {json.dumps(listed)}, other: []}};</script>"
        return Answer(200, page.encode(), "text/html", {"Set-Cookie": f"{cookie}; Path=/"})

    def _search(self, payload: dict[str, Any]) -> Answer:
        term, text, number = payload["other"]["srcdb"], "", None
        if term not in dict(self.terms):
            return NO_SUCH_TERM
        for each in payload["criteria"]:
            text = each["value"] if each["field"] == "keyword" else text
            number = each["value"] if each["field"] == "crn" else number
        found = [each for each in self.found(term, {}, text) if number in {None, each.number}]
        rows = list(map(self.row, self.shown(found)))
        return json_answer({"srcdb": self.other_term or term, "count": len(found), "results": rows})

    def _details(self, payload: dict[str, Any]) -> Answer:
        number = payload["key"].removeprefix("crn:")
        section = next((each for each in self.sections if each.number == number), None)
        if section is None:
            return json_answer({"fatal": "No such record"})
        others = [each for each in self.sections if each.course == section.course]
        return json_answer(
            {
                **self.row(section),
                "seats": self.seats.format(
                    section.capacity, section.available, section.waiting, section.waitlist
                ),
                "xlist": "",
                "meeting_html": '<div class="meet">MWF 9am-9:50am<span> in <a>Hall 1</a></span></div>',
                "allInGroup": list(map(self.row, others)),
            }
        )

    def row(self, section: CampusSection) -> dict[str, Any]:
        status = "open" if section.number in self.stale else section.stated_status
        first, _, last = section.instructor.rpartition(" ")
        return {
            "key": section.number,
            "code": entities(section.course),
            "title": entities(section.title),
            "crn": section.number,
            "no": "001",
            "total": "1",
            "stat": _LETTERS[status],
            "isCancelled": "",
            "meets": "MWF 9-9:50a",
            "meetingTimes": '[{"meet_day":"0","start_time":"900","end_time":"950"}]',
            "instr": entities(f"{first[:1]}. {last}"),
            "srcdb": self.other_term or self.term_of(section),
        }
