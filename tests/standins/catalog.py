"""The base of the public catalogs on loopback: a small campus whose seats change, and faults to switch on."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from tests.standins.server import Answer, StandIn

T = TypeVar("T")

NOT_FOUND = Answer(404, b"")
UNAVAILABLE = Answer(500, b"")
FORBIDDEN = Answer(403, b"")
RATE_LIMITED = Answer(429, b"", headers={"Retry-After": "7"})
MAINTENANCE = Answer(200, b"<!doctype html><p>The system is down for scheduled maintenance.", "text/html")
SIGN_IN = Answer(200, b"<!doctype html><form><input type='password' name='pwd'></form>", "text/html")
WELCOME = Answer(200, b"<!doctype html><p>Welcome to your campus.", "text/html")
STALLED = Answer(200, b'{"classes": []}', stalls=True)
DRIPPING = Answer(200, b" " * 10_000, drips=True)
EVERY_ROUTE = "*"


@dataclass
class CampusSection:
    """A section of the campus; `status` is one of open, waitlist, closed and cancelled, "" to derive it."""

    number: str
    course: str = "CS 1110"
    title: str = "Programming & Proofs"
    capacity: int = 30
    enrolled: int = 27
    reserved: int = 0
    waitlist: int = 5
    waiting: int = 0
    instructor: str = "Ada Lovelace"
    term: str = ""
    status: str = ""

    @property
    def subject(self) -> str:
        return self.course.rpartition(" ")[0]

    @property
    def course_number(self) -> str:
        return self.course.rpartition(" ")[2]

    @property
    def available(self) -> int:
        return self.capacity - self.enrolled

    @property
    def stated_status(self) -> str:
        if self.status:
            return self.status
        if self.waiting:
            return "waitlist"
        return "open" if self.available > 0 else "closed"


class CatalogStandin(StandIn):
    """A catalog with `terms`; `failing` maps a route, or "*", to the answer given instead.

    Shape: `terms` are codes and labels. `routes` are those asked for so far, `agents` the User-Agents. The
    last `missing_rows` of each page are left out, though counted; `has_repeats` puts the first row of each
    page on it twice, in place of the last. `is_empty` answers every search without rows; `other_term` is the
    term of all rows, if set. Outside of `with` it has no socket, and a test calls `answer`.
    """

    def __init__(self, terms: list[tuple[str, str]]) -> None:
        super().__init__()
        self.terms = terms
        self.failing: dict[str, Answer] = {}
        self.routes: list[str] = []
        self.agents: set[str] = set()
        self.missing_rows = 0
        self.has_repeats = False
        self.is_empty = False
        self.other_term = ""
        self._is_open = False

    @property
    def url(self) -> str:
        return super().url if self._is_open else "http://127.0.0.1"

    def __enter__(self) -> Self:
        self._is_open = True
        return super().__enter__()

    @abstractmethod
    def serve(
        self, method: str, route: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """The answer of a healthy catalog to `route`, with the parameters `asked`."""

    @abstractmethod
    def route(self, path: str) -> str:
        """The name of the route at `path`."""

    @abstractmethod
    def expire(self) -> None:
        """Forget every session, as after the idle limit."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        url = urlsplit(path)
        route = url.path if url.path == "/robots.txt" else self.route(url.path)
        self.routes.append(route)
        self.agents.add(headers.get("user-agent", ""))
        if found := self.failing.get(route):
            return found
        if route == "/robots.txt":
            return NOT_FOUND
        if found := self.failing.get(EVERY_ROUTE):
            return found
        return self.serve(method, route, dict(parse_qsl(url.query)), headers, body)

    def shown(self, page: list[T]) -> list[T]:
        """The rows that a page shows, with the faults that are switched on."""
        if self.has_repeats and page:
            page = [page[0], *page[: max(1, len(page) - 1)]]
        return page[: len(page) - self.missing_rows]


class CampusStandin(CatalogStandin):
    """A catalog of `sections`; a section without a term is of the first."""

    def __init__(self, *sections: CampusSection, terms: list[tuple[str, str]]) -> None:
        super().__init__(terms)
        self.sections = list(sections)

    def section(self, number: str) -> CampusSection:
        return next(each for each in self.sections if each.number == number)

    def term_of(self, section: CampusSection) -> str:
        return section.term or self.terms[0][0]

    def found(self, term: str, criteria: Mapping[str, str], text: str = "") -> list[CampusSection]:
        """The sections of `term` whose attributes are `criteria`, and whose course or title has `text`."""
        if self.is_empty:
            return []
        return [
            each
            for each in self.sections
            if self.term_of(each) == term
            and all(getattr(each, name) == value for name, value in criteria.items())
            and text.casefold() in f"{each.course} {each.title}".casefold()
        ]


def json_answer(data: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(200, json.dumps(data).encode(), headers=headers or {})


def entities(text: str) -> str:
    """`text` as platforms store it, with HTML entities."""
    return text.replace("&", "&amp;").replace("'", "&#39;")
