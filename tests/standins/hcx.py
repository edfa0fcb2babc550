"""HighPoint CX: cookies of a guest, a search in pages of a subject, and details with reserved seats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.standins.catalog import NOT_FOUND, CampusSection, CampusStandin, entities, json_answer
from tests.standins.server import Answer

SITE, NODE, INSTITUTION = "ihprd", "UVSS", "UVA01"
_STATUSES = {"open": "O", "waitlist": "W", "closed": "C", "cancelled": "C"}
_TEXTS = {"open": "Open", "waitlist": "Wait List", "closed": "Closed", "cancelled": "Closed"}


class HcxStandin(CampusStandin):
    """A guest's search. `combined` are the numbers of sections that share their seats.

    Shape: pages have `page_rows`; the first states their number if `is_counted`; `as_array` has no envelope.
    """

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("1268", "2026 Fall"), ("1262", "2026 Spring")])
        self.page_rows = 100
        self.is_counted = True
        self.as_array = False
        self.combined: set[str] = set()
        self._sessions: set[str] = set()
        self._opened = 0

    def route(self, path: str) -> str:
        return path.rpartition("IScript_")[2]

    def expire(self) -> None:
        self._sessions.clear()

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if route == "Main":
            return self._open()
        if headers.get("cookie", "").removeprefix("PS_TOKEN=") not in self._sessions:
            return Answer(302, b"", headers={"Location": f"/psp/{SITE}/?cmd=login&languageCd=ENG"})
        if asked.get("institution") != INSTITUTION:
            return json_answer([])
        return self._data(route, asked)

    def _data(self, route: str, asked: Mapping[str, str]) -> Answer:
        match route:
            case "ClassSearchOptions":
                return json_answer(self._options())
            case "ClassSearch":
                return json_answer(self._page(asked))
            case "ClassDetails":
                return json_answer(self._details(asked["class_nbr"]))
        return NOT_FOUND

    def _open(self) -> Answer:
        self._opened += 1
        name = f"guest{self._opened}"
        self._sessions.add(name)
        page = b"<!doctype html><title>Browse Classes</title>"
        return Answer(200, page, "text/html", {"Set-Cookie": f"PS_TOKEN={name}; Path=/"})

    def _options(self) -> dict[str, Any]:
        subjects = dict.fromkeys(each.subject for each in self.sections)
        return {
            "subjects": [{"subject": name, "descr": name} for name in subjects],
            "terms": [{"strm": code, "descr": label} for code, label in self.terms],
        }

    def _page(self, asked: Mapping[str, str]) -> object:
        names = {"subject": "subject", "catalog_nbr": "course_number", "class_nbr": "number"}
        found = self.found(
            asked["term"],
            {names[name]: value for name, value in asked.items() if name in names},
            asked.get("keyword", ""),
        )
        page, size = int(asked["page"]), self.page_rows
        rows = list(map(self.row, self.shown(found[(page - 1) * size : page * size])))
        if self.as_array:
            return rows
        is_stated = page == 1 and self.is_counted
        return {"classes": rows, "pageCount": -(-len(found) // size) if is_stated else 0}

    def row(self, section: CampusSection) -> dict[str, Any]:
        """The row of a search, which leaves out reserved seats."""
        return {
            "strm": self.other_term or self.term_of(section),
            "class_nbr": int(section.number),
            "subject": section.subject,
            "catalog_nbr": section.course_number,
            "descr": entities(section.title),
            "class_stat": "X" if section.stated_status == "cancelled" else "A",
            "enrl_stat": _STATUSES[section.stated_status],
            "combined_section": "Y" if section.number in self.combined else "N",
            "class_capacity": section.capacity,
            "enrollment_total": section.enrolled,
            "enrollment_available": section.available,
            "wait_cap": section.waitlist,
            "wait_tot": section.waiting,
            "instructors": [{"name": section.instructor}],
            "meetings": [
                {
                    "days": "MoWe",
                    "start_time": "14.00.00.000000-05:00",
                    "end_time": "14.50.00.000000-05:00",
                    "facility_descr": "Warner Hall 209",
                }
            ],
            "reserve_caps": [],
        }

    def _details(self, number: str) -> dict[str, Any]:
        section = self.section(number)
        meeting = {
            "stnd_mtg_pat": "MoWe",
            "meeting_time_start": "2:00PM",
            "meeting_time_end": "2:50PM",
            "room": "Warner Hall 209",
            "instructors": [{"name": section.instructor}],
        }
        group = {"rsrv_cap_nbr": 1, "enrl_cap": section.reserved, "enrl_tot": 0, "start_dt": "", "end_dt": ""}
        return {
            "section_info": {
                "class_details": {
                    "institution": INSTITUTION,
                    "class_number": int(number),
                    "subject": section.subject,
                    "catalog_nbr": section.course_number,
                    "course_title": entities(section.title),
                    "status": _TEXTS[section.stated_status],
                    "course_status": "X" if section.stated_status == "cancelled" else "A",
                },
                "class_availability": {
                    "class_capacity": str(section.capacity),
                    "enrollment_total": str(section.enrolled),
                    "enrollment_available": section.available,
                    "wait_list_capacity": str(section.waitlist),
                    "wait_list_total": str(section.waiting),
                },
                "reserve_caps": [group] if section.reserved else [],
                "is_combined": number in self.combined,
                "meetings": [meeting],
            },
            "class_enroll_info": {"enrl_terms": [{"strm": self.other_term or self.term_of(section)}]},
        }
