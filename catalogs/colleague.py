"""Ellucian Colleague Self-Service: its public course catalog, read course by course.

A section is identified by its name, such as AMT-116-3A01. It is what the catalog displays, names one section
in a term, and contains the course; the registrar's `Synonym` is in none of the displayed texts.

A term takes 200 to 600 requests, so only watched courses are read: a search by subject finds the ids of the
course and its sections (30 courses a page), then one request reads its sections. The session keeps the ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from catalogs.colleague_answers import (
    CourseItem,
    course_of,
    dashed,
    observations,
    section_ids,
)
from catalogs.colleague_requests import ColleagueOptions, ColleagueRequests, CourseIds, json_text
from catalogs.family import (
    Answer,
    CatalogIdentity,
    Exchange,
    Family,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.links import split_link
from domain.catalog import (
    Capabilities,
    CatalogTerm,
    PartialAnswerError,
    SectionReference,
    WrongTermError,
)
from domain.observation import Observation
from domain.section import SectionKey

SEARCH_COURSES: Final = 3
"""Courses whose sections one search reads: one request each."""


class CourseQuery(Struct, frozen=True, omit_defaults=True):
    """The query of a unit: read the sections with `ids`, or search the subject of `course` for them.

    Shape: `page` is the page to search, `listed` are the ids of the courses on the pages before.
    """

    course: str
    page: int = 1
    listed: list[str] = []
    ids: CourseIds | None = None


@dataclass(frozen=True, slots=True)
class Colleague:
    """One catalog on Colleague Self-Service."""

    identity: CatalogIdentity
    options: ColleagueOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`."""
        return Capabilities(
            counts=True,
            status=True,
            name_search=True,
            lists_term=False,
            absence="The course no longer lists the section in this term.",
        )

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`: the terms that are open to the public search."""
        items = yield from self._requests.terms(session)
        return [CatalogTerm(item.Item1, unescape(item.Item2)) for item in items if item.Item1]

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: one unit for each course. Raises: ValueError for a whole term."""
        del known_rows
        if watched is None:
            raise ValueError("Colleague cannot list a whole term; plan the watched sections")
        courses: dict[str, set[SectionKey]] = defaultdict(set)
        for each in watched:
            courses[dashed(each.course) or course_of(each.key.number)].add(each.key)
        return [_unit(term, CourseQuery(course), frozenset(keys)) for course, keys in sorted(courses.items())]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`. A search answers without rows, and continues with the sections that it found."""
        query = msgspec.json.decode(unit.query, type=CourseQuery)
        if not query.course:
            return Answer([], proof="Sections of this catalog have names such as AMT-116-3A01.")
        if query.ids is not None:
            return (yield from self._sections(unit, query.ids, session, at))
        known = session.values.get(_ids_name(unit.term, query.course)) if query.page == 1 else None
        if known is None:
            return (yield from self._search_page(unit, query, session))
        ids = msgspec.json.decode(known, type=CourseIds)
        return (yield from self._known_sections(unit, query, ids, session, at))

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: None, rows state everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: the sections of the first courses, a course that `text` names before others."""
        name = dashed(text).upper()
        page = yield from self._requests.search(term, session, keyword=text.strip() or None)
        courses = [course for course in page.courses() if course.MatchingSectionIds]
        courses.sort(key=lambda course: not f"{name}-".startswith(f"{course.name}-"))
        found: list[Observation] = []
        for course in courses[:SEARCH_COURSES]:
            groups = yield from self._requests.sections(_ids(course), session)
            found += observations(groups, self.identity.id, term, at)
        return found

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a search link whose keyword is a section name."""
        link, base = split_link(text), urlsplit(self.options.base_url)
        if link is None or link.hostname != base.hostname or "/Courses" not in link.path:
            return None
        asked = {name.lower(): values for name, values in parse_qs(link.query).items()}
        number = dashed(asked.get("keyword", [""])[0])
        if not course_of(number):
            return None
        terms = asked.get("terms", [])
        return SectionReference(number, terms[0] if len(terms) == 1 else None)

    @property
    def _requests(self) -> ColleagueRequests:
        return ColleagueRequests(self.options)

    def _known_sections(
        self, unit: Unit, query: CourseQuery, ids: CourseIds, session: Session, at: datetime
    ) -> Exchange[Answer]:
        """Read the sections with known ids; where that leaves a section unseen, search for new ids."""
        answer = None
        try:
            answer = yield from self._sections(unit, ids, session, at)
            if unit.covers <= {seen.key for seen in answer.observations}:
                return answer
        except (PartialAnswerError, WrongTermError):
            pass  # the ids are old: the search decides
        session.values.pop(_ids_name(unit.term, query.course), None)
        searched = yield from self._search_page(unit, query, session)
        is_current = session.values.get(_ids_name(unit.term, query.course)) == json_text(ids)
        return answer if answer is not None and is_current else searched

    def _sections(self, unit: Unit, ids: CourseIds, session: Session, at: datetime) -> Exchange[Answer]:
        groups = yield from self._requests.sections(ids, session)
        rows = observations(groups, self.identity.id, unit.term, at)
        unseen = unit.covers - {seen.key for seen in rows}
        if unseen and set(ids.sections) - section_ids(groups):
            raise PartialAnswerError("Colleague's answer lacks some of the sections asked for")
        return Answer(rows)

    def _search_page(self, unit: Unit, query: CourseQuery, session: Session) -> Exchange[Answer]:
        subject = query.course.partition("-")[0]
        page = yield from self._requests.search(unit.term, session, subject=subject, page=query.page)
        courses = page.courses()
        for course in courses:
            if not course.MatchingSectionIds:
                continue
            session.values[_ids_name(unit.term, course.name)] = json_text(_ids(course))
        found = next((course for course in courses if course.name == query.course), None)
        listed = frozenset(query.listed) | {course.Id for course in courses}
        proof = f"The search lists {page.TotalItems} courses of {subject}."
        if found is not None and found.MatchingSectionIds:
            following = CourseQuery(query.course, ids=_ids(found))
        elif found is None and query.page < page.TotalPages:
            following = CourseQuery(query.course, query.page + 1, sorted(listed))
        else:
            if found is None and len(listed) != page.TotalItems:
                raise PartialAnswerError(f"Colleague listed {len(listed)} of {page.TotalItems} courses")
            yield from self._prove(unit.term, page.TotalItems, session)
            session.values.pop(_ids_name(unit.term, query.course), None)
            return Answer([], proof=f"{proof} {query.course} has no sections in {unit.term}.")
        return Answer([], continuation=_unit(unit.term, following, unit.covers), proof=proof)

    def _prove(self, term: str, found: int, session: Session) -> Exchange[None]:
        """Check that the term is listed, and that its search finds courses: an empty one proves nothing."""
        yield from self._requests.require_term(term, session, is_known=False)
        if found == 0 and (yield from self._requests.search(term, session)).TotalItems == 0:
            raise PartialAnswerError(f"no search of {term} finds a course")


def _ids(course: CourseItem) -> CourseIds:
    return CourseIds(course.Id, course.MatchingSectionIds or [])


def _ids_name(term: str, course: str) -> str:
    return f"ids {term} {course}"


def _unit(term: str, query: CourseQuery, covers: frozenset[SectionKey]) -> Unit:
    return Unit(term, json_text(query), f"{term} {query.course}", covers)


def _recognises(url: str) -> ColleagueOptions | None:
    link = split_link(url)
    if link is None:
        return None
    root, is_catalog, _ = link.path.partition("/Courses")
    if link.scheme != "https" or not is_catalog or not root.startswith("/Student"):
        return None
    return ColleagueOptions(base_url=f"https://{link.netloc}/Student/")


FAMILY = Family("colleague", "Ellucian Colleague Self-Service", ColleagueOptions, Colleague, _recognises)
