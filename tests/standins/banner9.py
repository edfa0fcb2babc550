"""A Banner 9 class search: sessions by cookie, pages, and a search that keeps its criteria until reset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.server import Answer, StandIn

ROOT = "/StudentRegistrationSsb"
NOT_FOUND = Answer(404, b"")


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


class Banner9Standin(StandIn):
    """Serves `rows` of the newest of `terms`; `failing` maps a route to the answer that it gives instead."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self.rows = list(rows)
        self.terms = [("202710", "Fall 2026"), ("202640", "Summer 2026 (View Only)")]
        self.failing: dict[str, Answer] = {}
        self.agents: set[str] = set()
        self.routes: list[str] = []
        self._sessions: dict[str, dict[str, str]] = {}

    @property
    def base_url(self) -> str:
        return self.url + ROOT

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        url = urlsplit(path)
        route = url.path.removeprefix(f"{ROOT}/ssb/")
        self.routes.append(route)
        self.agents.add(headers.get("user-agent", ""))
        if route in self.failing:
            return self.failing[route]
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        session = self._sessions.get(headers.get("cookie", "").removeprefix("JSESSIONID="))
        match method, route:
            case "GET", "classSearch/getTerms":
                return _json([{"code": code, "description": label} for code, label in self.terms])
            case "POST", "term/search":
                return self._open(parse_qs(body.decode())["term"][0])
            case "POST", "classSearch/resetDataForm":
                (session or {}).pop("criteria", None)
                return _json(data=True)
            case "GET", "searchResults/searchResults":
                return _json(self._page(session, asked))
        return NOT_FOUND

    def _open(self, term: str) -> Answer:
        name = f"session{len(self._sessions)}"
        self._sessions[name] = {"term": term}
        found = _json({"fwdURL": f"{ROOT}/ssb/classSearch/classSearch"})
        return found._replace(headers={"Set-Cookie": f"JSESSIONID={name}; Path=/"})

    def _page(self, session: dict[str, str] | None, asked: dict[str, str]) -> dict[str, Any]:
        if session is None or session["term"] != asked["txt_term"]:
            return {"success": True, "totalCount": 0, "data": None, "pathMode": None}
        session.setdefault("criteria", json.dumps([asked.get("txt_subject"), asked.get("txt_courseTitle")]))
        subject, title = json.loads(session["criteria"])
        found = [
            each
            for each in self.rows
            if each["term"] == session["term"]
            and (subject is None or each["subject"] == subject)
            and (title is None or title.lower() in each["courseTitle"].lower())
        ]
        offset, size = int(asked["pageOffset"]), int(asked["pageMaxSize"])
        page = found[offset : offset + size]
        return {"success": True, "totalCount": len(found), "data": page, "pathMode": "search"}


def _json(data: object) -> Answer:
    return Answer(200, json.dumps(data).encode())
