"""A Banner 9 class search: sessions by cookie, pages, and a search that keeps its criteria until reset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.standins.catalog import NOT_FOUND, CatalogStandin, json_answer
from tests.standins.server import Answer

ROOT = "/StudentRegistrationSsb"
PAGE_ROWS = 500


def row(crn: str, course: str = "ICS 111", **changes: object) -> dict[str, Any]:
    subject, _, number = course.partition(" ")
    return {
        "term": "202710",
        "courseReferenceNumber": crn,
        "subject": subject,
        "courseNumber": number,
        "courseTitle": "Programming &amp; Proofs",
        "seatsAvailable": 3,
        "maximumEnrollment": 20,
        "waitAvailable": 5,
        "waitCount": 0,
        "crossList": None,
        "crossListAvailable": None,
        "openSection": True,
        "reservedSeatSummary": None,
        "faculty": [{"displayName": "Lovelace, Ada", "primaryIndicator": True}],
        "meetingsFaculty": [],
        **changes,
    }


class Banner9Standin(CatalogStandin):
    """Serves `rows` of any term. Shape: `unreadable` are the CRNs of rows that fail their whole page."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__([("202710", "Fall 2026"), ("202640", "Summer 2026 (View Only)")])
        self.rows = list(rows)
        self.unreadable: set[str] = set()
        self._sessions: dict[str, dict[str, str]] = {}
        self._opened = 0

    @property
    def base_url(self) -> str:
        return self.url + ROOT

    def route(self, path: str) -> str:
        return path.removeprefix(f"{ROOT}/ssb/")

    def expire(self) -> None:
        self._sessions.clear()

    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        session = self._sessions.get(headers.get("cookie", "").removeprefix("JSESSIONID="))
        match method, route:
            case "GET", "classSearch/getTerms":
                first = int(asked["offset"]) - 1
                listed = self.terms[first : first + int(asked["max"])]
                return json_answer([{"code": code, "description": label} for code, label in listed])
            case "POST", "term/search":
                return self._open(parse_qs(body.decode())["term"][0])
            case "POST", "classSearch/resetDataForm":
                (session or {}).pop("criteria", None)
                return json_answer(data=True)
            case "GET", "searchResults/searchResults":
                return json_answer(self._page(session, asked))
        return NOT_FOUND

    def _open(self, term: str) -> Answer:
        self._opened += 1
        name = f"session{self._opened}"
        self._sessions[name] = {"term": term}
        cookie = {"Set-Cookie": f"JSESSIONID={name}; Path=/"}
        return json_answer({"fwdURL": f"{ROOT}/ssb/classSearch/classSearch"}, cookie)

    def _page(self, session: dict[str, str] | None, asked: Mapping[str, str]) -> dict[str, Any]:
        if session is None or session["term"] != asked["txt_term"]:
            return {"success": True, "totalCount": 0, "data": None, "pathMode": None}
        names = ("txt_subject", "txt_courseNumber", "txt_courseTitle")
        session.setdefault("criteria", json.dumps([asked.get(name, "") for name in names]))
        found = self._found(session["term"], *json.loads(session["criteria"]))
        offset, size = int(asked["pageOffset"]), min(int(asked["pageMaxSize"]), PAGE_ROWS)
        page = found[offset : offset + size]
        if self.unreadable.intersection(each["courseReferenceNumber"] for each in page):
            return {"success": False, "totalCount": 0, "data": None, "pathMode": "search"}
        rows = [{**each, "term": self.other_term or each["term"]} for each in self.shown(page)]
        return {"success": True, "totalCount": len(found), "data": rows, "pathMode": "search"}

    def _found(self, term: str, subjects: str, number: str, title: str) -> list[dict[str, Any]]:
        """The rows that a search finds; a course number is a prefix."""
        if self.is_empty:
            return []
        return [
            each
            for each in self.rows
            if each["term"] == term
            and (not subjects or each["subject"] in subjects.split(","))
            and each["courseNumber"].startswith(number)
            and title.casefold() in each["courseTitle"].casefold()
        ]
