"""Testudo, the Schedule of Classes of the University of Maryland.

A section is identified by its course and its id in the course, such as STAT400-0101. One request reads the
sections of up to 150 courses of any department. A term takes about 260 requests, so only watched courses
are read.

A course without sections, an unknown course and a dropped term all look alike: they are not in the answer.
The department's page, and the list of terms, decide which it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from catalogs.answers import distinct
from catalogs.family import (
    Answer,
    CatalogIdentity,
    CatalogRequest,
    Exchange,
    Family,
    FamilyOptions,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.faults import explain, is_html, refuse
from catalogs.links import parameters, split_link
from catalogs.testudo_answers import SECTION, Section, read_sections
from catalogs.testudo_pages import DepartmentPage, read_department, read_departments, read_terms
from domain.catalog import Capabilities, CatalogTerm, PartialAnswerError, SectionReference, WrongTermError
from domain.errors import MalformedResponseError
from domain.observation import Observation
from domain.section import SectionKey

T = TypeVar("T")

COURSES: Final = 150
"""Courses of one request; 600 have worked, 1,000 make the address too long (414)."""
PAGE_AGE: Final = timedelta(minutes=5)
"""How long a department's page is used; during registration the seats change every 30 minutes."""
_SUBJECT: Final = 4


@dataclass(frozen=True, slots=True)
class Testudo:
    """The catalog of Maryland. Its `base_url` ends with /soc."""

    identity: CatalogIdentity
    options: FamilyOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`: the length of the waitlist is stated, its places are not."""
        return Capabilities(
            counts=True,
            source_stamp=True,
            lists_term=False,
            absence="The course no longer lists the section; cancelled sections disappear.",
        )

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`."""
        del session
        return (yield from self._listed_terms())

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: 150 courses a unit. Raises: ValueError for a whole term."""
        del known_rows
        if watched is None:
            raise ValueError("Testudo cannot list a whole term; plan the watched sections")
        courses: dict[str, set[SectionKey]] = defaultdict(set)
        for each in watched:
            named = SECTION.fullmatch(each.key.number)
            courses[named[1] if named else ""].add(each.key)
        units = [_unit(term, [""], courses)] if "" in courses else []
        names = sorted(filter(None, courses))
        return units + [
            _unit(term, names[start : start + COURSES], courses) for start in range(0, len(names), COURSES)
        ]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`; `total` counts the courses whose sections should be there, but are not.

        Raises: WrongTermError if there is nothing and the term is not listed; PartialAnswerError if there is
        nothing, but a department lists the courses, or no department is listed either.
        """
        if not unit.query:
            return Answer([], proof="Sections of this catalog have numbers such as STAT400-0101.")
        courses = unit.query.split(",")
        # First the time, then the sections: data is never shown as newer than it is.
        yield from self._refresh(unit.term, courses, session, at)
        pages = _pages(unit.term, session)
        found = yield from self._sections(unit.term, courses)
        if not found:
            yield from self._check_term(unit.term)
        absent = [course for course in courses if course not in found]
        unproved = yield from self._unproved(unit.term, absent, session, at)
        if unproved and not found:
            raise PartialAnswerError(f"Testudo lists {unproved[0]} without its sections")
        rows = self._observations(found, pages, unit.term, at)
        as_of = rows[0].as_of if rows else None
        proof = f"The department does not list {', '.join(absent[:5])} with sections."
        return Answer(rows, len(rows) + len(unproved), as_of=as_of, proof="" if rows else proof)

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: None, rows state everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: `text` starts with a department: STAT, STAT400, STAT400-0101 or STAT theory.

        The first department for an empty text; of many courses, the first 150.
        """
        first, *words = text.upper().split() or (yield from self._departments(term))[:1]
        if words and words[0][0].isdigit():  # STAT 400
            first += words.pop(0)
        name, _, section = first.partition("-")
        subject = name[:_SUBJECT]
        if len(subject) < _SUBJECT or not (subject.isascii() and subject.isalpha()):
            return []
        page = yield from self._page(term, subject, session, at)
        courses = [
            course
            for course, title in page.titles.items()
            if course.startswith(name) and all(word in title.upper() for word in words)
        ][:COURSES]
        if not courses:
            return []
        found = yield from self._sections(term, courses)
        rows = self._observations(found, [page], term, at)
        return [row for row in rows if row.key.number.partition("-")[2].startswith(section)]

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a number such as STAT400-0101, or a link to the search for a course and a section."""
        if SECTION.fullmatch(text.strip().upper()):
            return SectionReference(text.strip().upper())
        link, base = split_link(text), urlsplit(self.options.base_url)
        if link is None or link.hostname != base.hostname:
            return None
        asked, is_search = parameters(link), link.path.rstrip("/") == f"{base.path.rstrip('/')}/search"
        number = f"{asked.get('courseid', '')}-{asked.get('sectionid', '')}".upper()
        if not is_search or not SECTION.fullmatch(number):
            return None
        return SectionReference(number, asked.get("termid"))

    def _departments(self, term: str) -> Exchange[list[str]]:
        path = f"/{quote(term, safe='')}"
        return (yield from self._get(path, "the list of departments", read_departments))

    def _sections(self, term: str, courses: Sequence[str]) -> Exchange[dict[str, list[Section]]]:
        path = f"/{quote(term, safe='')}/sections?courseIds={','.join(courses)}"
        read = partial(read_sections, asked=courses)
        return (yield from self._get(path, "the sections", read, is_page=False))

    def _observations(
        self, found: Mapping[str, list[Section]], pages: Sequence[DepartmentPage], term: str, at: datetime
    ) -> list[Observation]:
        """The sections as of the latest of `pages`. Raises: PartialAnswerError for repeated ids."""
        as_of = pages[0].as_of if pages else None
        titles = {course: title for page in pages for course, title in page.titles.items()}
        rows = [
            section.observation(self.identity.id, term, at, titles.get(course, ""), as_of)
            for course, sections in found.items()
            for section in sections
        ]
        return distinct(rows, "Testudo's answer repeats a section")

    def _check_term(self, term: str) -> Exchange[None]:
        """Raises: WrongTermError if `term` is not listed; PartialAnswerError if it has no departments."""
        listed = yield from self._listed_terms()
        if term not in {each.code for each in listed}:
            raise WrongTermError(f"Testudo no longer lists the term {term}")
        yield from self._departments(term)

    def _unproved(
        self, term: str, absent: Sequence[str], session: Session, at: datetime
    ) -> Exchange[list[str]]:
        """The courses of `absent` that have sections according to their department."""
        unproved = []
        for course in absent:
            page = yield from self._page(term, course[:_SUBJECT], session, at)
            if _has_sections(page, course) and page.read_at < at:
                page = yield from self._read_page(term, course[:_SUBJECT], session, at)
            if _has_sections(page, course):
                unproved.append(course)
        return unproved

    def _refresh(self, term: str, courses: Iterable[str], session: Session, at: datetime) -> Exchange[None]:
        """Read one department's page if none is fresh: first one that was never read, for its titles."""
        if any(_is_fresh(page, at) for page in _pages(term, session)[:1]):
            return
        subjects = sorted({course[:_SUBJECT] for course in courses})
        unread = [subject for subject in subjects if _page_name(term, subject) not in session.values]
        yield from self._read_page(term, (unread or subjects)[0], session, at)

    def _page(self, term: str, subject: str, session: Session, at: datetime) -> Exchange[DepartmentPage]:
        kept = session.values.get(_page_name(term, subject))
        page = msgspec.json.decode(kept, type=DepartmentPage) if kept else None
        if page is not None and _is_fresh(page, at):
            return page
        return (yield from self._read_page(term, subject, session, at))

    def _read_page(self, term: str, subject: str, session: Session, at: datetime) -> Exchange[DepartmentPage]:
        path = f"/{quote(term, safe='')}/{quote(subject, safe='')}"
        read = partial(read_department, at=at, timezone=self.identity.timezone)
        page = yield from self._get(path, f"the page of {subject}", read)
        session.values[_page_name(term, subject)] = msgspec.json.encode(page).decode()
        return page

    def _listed_terms(self) -> Exchange[list[CatalogTerm]]:
        return (yield from self._get("/", "the list of terms", read_terms))

    def _get(self, path: str, what: str, read: Callable[[bytes], T], *, is_page: bool = True) -> Exchange[T]:
        response = yield CatalogRequest("GET", f"{self.options.base_url.rstrip('/')}{path}")
        if response.status != HTTPStatus.OK or (is_html(response) and not is_page):
            raise refuse(response, what)
        try:
            return read(response.body)
        except MalformedResponseError as error:
            raise explain(error, response, what) from error


def _unit(term: str, courses: Sequence[str], keys: Mapping[str, set[SectionKey]]) -> Unit:
    covers = frozenset(key for course in courses for key in keys[course])
    return Unit(term, ",".join(courses), f"{term} {courses[0]} to {courses[-1]}", covers)


def _page_name(term: str, subject: str) -> str:
    return f"page {term} {subject}"


def _pages(term: str, session: Session) -> list[DepartmentPage]:
    """The pages of the term that the session has, the latest first."""
    found = [
        msgspec.json.decode(page, type=DepartmentPage)
        for name, page in session.values.items()
        if name.startswith(_page_name(term, ""))
    ]
    return sorted(found, key=lambda page: page.read_at, reverse=True)


def _is_fresh(page: DepartmentPage, at: datetime) -> bool:
    return timedelta() <= at - page.read_at < PAGE_AGE


def _has_sections(page: DepartmentPage, course: str) -> bool:
    return course in page.titles and course not in page.without_sections


def _recognises(url: str) -> FamilyOptions | None:
    link = split_link(url)
    if link is None or link.scheme != "https" or link.hostname != "app.testudo.umd.edu":
        return None
    return FamilyOptions(base_url="https://app.testudo.umd.edu/soc")


FAMILY = Family("testudo", "Testudo (Maryland)", FamilyOptions, Testudo, _recognises)
