"""Colleague Self-Service: an antiforgery token with its cookie, a search of courses, sections by id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from tests.standins.catalog import NOT_FOUND, CampusSection, CampusStandin, entities, json_answer
from tests.standins.server import Answer

ROOT = "/Student"
_STATUSES = {"open": "Open", "waitlist": "Waitlisted", "closed": "Closed", "cancelled": "Closed"}
_NUMBERS = {"Open": 0, "Waitlisted": 1, "Closed": 2}
_TOKEN = "__RequestVerificationToken"


class ColleagueStandin(CampusStandin):
    """Section numbers are names such as AMT-116-01. Shape: `page_courses` on a page of the search."""

    def __init__(self, *sections: CampusSection) -> None:
        super().__init__(*sections, terms=[("26/FA", "Fall 2026"), ("26/SU", "Summer 2026")])
        self.page_courses = 30
        self._token = 0

    @property
    def base_url(self) -> str:
        return f"{self.url}{ROOT}/"

    def route(self, path: str) -> str:
        return path.removeprefix(f"{ROOT}/Courses").removeprefix("/") or "Courses"

    def expire(self) -> None:
        self._token += 1

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        token = f"token-{self._token}"
        if route == "Courses":
            page = f'<!doctype html><form><input name="{_TOKEN}" type="hidden" value="{token}"></form>'
            return Answer(200, page.encode(), "text/html", {"Set-Cookie": f"{_TOKEN}_lw={token}; Path=/"})
        is_ours = headers.get(_TOKEN.lower()) == token and token in headers.get("cookie", "")
        if not is_ours or headers.get("x-requested-with") != "XMLHttpRequest":
            return Answer(400, b"Could not validate this request's antiforgery token.")
        return self._data(route, body)

    def _data(self, route: str, body: bytes) -> Answer:
        match route:
            case "GetCatalogAdvancedSearch" | "GetCatalogAdvancedSearchAsync":
                return json_answer({"Terms": [{"Item1": code, "Item2": label} for code, label in self.terms]})
            case "PostSearchCriteria":
                return json_answer(self._search(json.loads(body)))
            case "SearchAsync":
                return json_answer(self._search(json.loads(json.loads(body)["searchParameters"])))
            case "Sections":
                return json_answer({"SectionsRetrieved": self._sections(json.loads(body))})
            case "SectionsAsync":
                return json_answer(self._sections(json.loads(body), is_async=True))
        return NOT_FOUND

    def _search(self, criteria: dict[str, Any]) -> dict[str, Any]:
        (term,), page = criteria["terms"], criteria["pageNumber"]
        subjects, size = criteria["subjects"], self.page_courses
        found = self.found(term, {"subject": subjects[0]} if subjects else {}, criteria["keyword"] or "")
        found.sort(key=lambda each: each.course)
        courses = [
            {
                "Id": f"course {course}",
                "SubjectCode": course.partition(" ")[0],
                "Number": course.partition(" ")[2],
                "MatchingSectionIds": [f"id {each.number}" for each in sections],
            }
            for course, sections in groupby(found, key=lambda each: each.course)
        ]
        return {
            "TotalItems": len(courses),
            "TotalPages": -(-len(courses) // size),
            "Courses": courses[(page - 1) * size : page * size],
        }

    def _sections(self, asked: dict[str, Any], *, is_async: bool = False) -> dict[str, Any]:
        found = [each for each in self.sections if f"id {each.number}" in asked["sectionIds"]]
        rows = [self.row(each, is_async=is_async) for each in self.shown([] if self.is_empty else found)]
        code = self.other_term or self.terms[0][0]
        return {"TermsAndSections": [{"Term": {"Code": code}, "Sections": rows}]}

    def row(self, section: CampusSection, *, is_async: bool = False) -> dict[str, Any]:
        status = _STATUSES[section.stated_status]
        stated = {
            "Id": f"id {section.number}",
            "SectionNameDisplay": section.number,
            "CourseName": section.course.replace(" ", "-"),
            "Title": entities(section.title),
            "TermId": self.other_term or self.term_of(section),
            "Available": section.available - section.reserved,
            "Capacity": section.capacity,
            "Waitlisted": section.waiting,
            "WaitlistAvailable": section.waitlist > section.waiting,
            "AvailabilityStatus": _NUMBERS[status] if is_async else status,
            "AreSeatCountsAvailable": True,
            "HasUnlimitedSeats": False,
            "FormattedMeetingTimes": [
                {"Days": [1, 3], "StartTimeDisplay": "2:00 PM", "EndTimeDisplay": "2:50 PM"}
            ],
            "Meetings": [{"StartTime": "2026-09-12T13:00:00+00:00"}],
        }
        return {"Section": stated, "FacultyDisplay": entities(section.instructor)}
