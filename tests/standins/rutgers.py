"""The Schedule of Classes of Rutgers: compressed lists with ETag and max-age; a wrong value finds nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tests.standins.catalog import CampusSection, CampusStandin, json_answer
from tests.standins.server import Answer

PATH = "/soc"
PAGE = '<!doctype html><div id="initJsonData" style="display:none">{}</div>'
BAD_REQUEST = Answer(400, b"<!doctype html><title>400 Bad Request</title>", "text/html")


@dataclass
class RutgersSection(CampusSection):
    """A section of a campus, NB or ONLINE_NB."""

    course: str = "01:198:111"
    campus: str = "NB"


class RutgersStandin(CampusStandin):
    """The campuses NB, NK and CM share an open list, and the online campuses another.

    Shape: `elsewhere` are open indexes of NK and CM. `max_ages` are in seconds; `unchanged` is the number of
    answers that were Not Modified.
    """

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("92026", "Fall 2026"), ("72026", "Summer 2026")])
        self.max_ages = {"courses": 900, "openSections": 30}
        self.elsewhere = ["55555"]
        self.unchanged = 0

    @property
    def base_url(self) -> str:
        return self.url + PATH

    def route(self, path: str) -> str:
        return path.removeprefix(f"{PATH}/").removeprefix("api/").removesuffix(".json")

    def expire(self) -> None:
        """Nothing: there are no sessions."""

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if not route:
            code, _ = self.terms[0]
            date = json.dumps({"currentTermDate": {"year": int(code[1:]), "term": int(code[0])}})
            return Answer(200, PAGE.format(date.replace('"', "&quot;")).encode(), "text/html")
        if route not in self.max_ages:
            return Answer(404, b"")
        if not {"year", "term", "campus"} <= asked.keys():
            return BAD_REQUEST
        term = self.other_term or asked["term"] + asked["year"]
        data = (
            self._courses(term, asked["campus"])
            if route == "courses"
            else self._opened(term, asked["campus"])
        )
        return self._sent(data, self.max_ages[route], headers)

    def _courses(self, term: str, campus: str) -> list[dict[str, Any]]:
        listed = self.shown([each for each in self.found(term, {}) if campus_of(each) == campus])
        return [
            {
                "courseString": course,
                "title": sections[0].title.upper(),
                "expandedTitle": f"{sections[0].title}    ",
                "sections": list(map(self.row, sections)),
            }
            for course, sections in (
                (name, list(found)) for name, found in groupby(listed, key=lambda each: each.course)
            )
        ]

    def row(self, section: CampusSection) -> dict[str, Any]:
        first, _, last = section.instructor.rpartition(" ")
        meeting = {
            "meetingDay": "M",
            "startTimeMilitary": "1740",
            "endTimeMilitary": "1900",
            "campusName": "LIVINGSTON",
            "buildingCode": "TIL",
            "roomNumber": "103D",
            "meetingModeDesc": "LEC",
        }
        return {
            "index": section.number,
            "openStatus": True,  # up to 15 minutes old
            "instructors": [{"name": f"{last}, {first}".upper()}],
            "meetingTimes": [meeting],
        }

    def _opened(self, term: str, campus: str) -> list[str]:
        is_online = campus.startswith("ONLINE_")
        opened = [
            each.number
            for each in self.found(term, {})
            if campus_of(each).startswith("ONLINE_") == is_online and each.stated_status == "open"
        ]
        return opened if is_online or term not in dict(self.terms) else [*self.elsewhere, *opened]

    def _sent(self, data: list[Any], max_age: int, headers: Mapping[str, str]) -> Answer:
        plain = json_answer(data).body
        cached = {
            "ETag": f'"{hashlib.sha256(plain).hexdigest()[:16]}"',
            "Cache-Control": f"public, max-age={max_age}",
        }
        if headers.get("if-none-match") == cached["ETag"]:
            self.unchanged += 1
            return Answer(304, b"", headers=cached)
        if "gzip" not in headers.get("accept-encoding", ""):
            return Answer(200, plain, headers=cached)
        return Answer(200, gzip.compress(plain), headers={**cached, "Content-Encoding": "gzip"})


def campus_of(section: CampusSection) -> str:
    return section.campus if isinstance(section, RutgersSection) else "NB"
