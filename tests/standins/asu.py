"""ASU's class search: a token for guests, pages with a cursor that the search engine may forget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.standins.catalog import CampusSection, CampusStandin, entities, json_answer
from tests.standins.server import Answer

PATH = "/catalog-microservices/api/v1/search"
_STATUSES = {"open": "O", "waitlist": "W", "closed": "C", "cancelled": "X"}


class AsuStandin(CampusStandin):
    """Shape: pages have `page_rows`; `is_exact` states the total exactly; `as_hits` is the second form."""

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("2267", "Fall 2026"), ("2264", "Summer 2026")])
        self.page_rows = 200
        self.is_exact = True
        self.as_hits = False
        self._cursors: dict[str, tuple[dict[str, str], int]] = {}

    @property
    def base_url(self) -> str:
        return self.url + PATH

    def route(self, path: str) -> str:
        return path.removeprefix(f"{PATH}/")

    def expire(self) -> None:
        self._cursors.clear()

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if headers.get("authorization") != "Bearer null":
            return Answer(401, b"")
        if route == "terms":
            return json_answer({"terms": [{"value": code, "label": label} for code, label in self.terms]})
        if route != "classes":
            return Answer(404, b"")
        criteria, offset = dict(asked), 0
        if cursor := criteria.pop("scrollId", ""):
            if cursor not in self._cursors:
                return Answer(404, b'{"error": "search_context_missing_exception"}')
            criteria, offset = self._cursors.pop(cursor)
        return json_answer(self._page(criteria, offset))

    def _page(self, asked: dict[str, str], offset: int) -> dict[str, Any]:
        names = {"subject": "subject", "catalogNbr": "course_number"}
        found = self.found(
            asked["term"],
            {names[name]: value for name, value in asked.items() if name in names},
            asked.get("keywords", ""),
        )
        if number := asked.get("classNbr"):
            found = [each for each in found if each.number[:4] == number[:4]]  # also similar numbers
        rows = self.shown(found[offset : offset + self.page_rows])
        cursor = f"cursor-{offset + self.page_rows}-{len(self._cursors)}"
        self._cursors[cursor] = asked, offset + self.page_rows
        total = {"value": len(found), "relation": "eq"}
        if not self.is_exact:
            total = {"value": min(len(found), 2), "relation": "gte"}
        if self.as_hits:
            hits = [{"_source": self.row(each)["CLAS"]} for each in rows]
            return {"hits": {"total": total, "hits": hits}, "scrollId": cursor}
        return {"classes": list(map(self.row, rows)), "total": total, "scrollId": cursor}

    def row(self, section: CampusSection) -> dict[str, Any]:
        first, _, last = section.instructor.rpartition(" ")
        return {
            "SUBJECTNUMBER": section.course,
            "CLAS": {
                "CLASSNBR": section.number,
                "STRM": self.other_term or self.term_of(section),
                "SUBJECT": section.subject,
                "CATALOGNBR": section.course_number,
                "COURSETITLELONG": entities(section.title),
                "ENRLCAP": str(section.capacity),
                "ENRLTOT": str(section.enrolled),
                "WAITCAP": str(section.waitlist),
                "WAITTOT": str(section.waiting),
                "ENRLSTAT": _STATUSES[section.stated_status],
                "INSTRUCTORSFIRSTNAMELIST": [f"{first}~person"],
                "INSTRUCTORSLASTNAMELIST": [f"{last}~person"],
                "FACILITYID": "PSH152",
                **dict.fromkeys(("TUES", "THURS", "SAT", "SUN"), "N"),
                **dict.fromkeys(("MON", "WED", "FRI"), "Y"),
                "STARTTIMES": ["12:20 PM", None],
                "ENDTIMES": ["1:10 PM", None],
            },
            "seatInfo": {"ENRL_CAP": section.capacity, "ENRL_TOT": section.enrolled},
            "reservedSeatsInfo": [{"ENRL_CAP": section.reserved, "ENRL_TOT": 0}] if section.reserved else [],
        }
