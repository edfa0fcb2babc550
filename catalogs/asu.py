"""The class search of Arizona State University: a subject or the whole term, in pages of 200 classes.

A section is identified by its class number. The search is open to guests, who send the token `null`; should
that end, it answers 401, which pauses the catalog. An answer without rows also follows a wrong term, so it
counts only once the same term has shown classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from catalogs.asu_answers import observations
from catalogs.asu_requests import AsuRequests
from catalogs.family import (
    Answer,
    CatalogIdentity,
    Exchange,
    Family,
    FamilyOptions,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.links import parameters, split_link, subject_searches
from domain.catalog import (
    Capabilities,
    CatalogTerm,
    PartialAnswerError,
    SectionReference,
)
from domain.observation import Observation
from domain.section import SectionKey

_API: Final = "https://eadvs-cscc-catalog-api.apps.asu.edu/catalog-microservices/api/v1/search"
_HOSTS: Final = frozenset({"catalog.apps.asu.edu", "eadvs-cscc-catalog-api.apps.asu.edu"})
_REGISTRATION: Final = "go.oasis.asu.edu"
PAGE_ROWS: Final = 200
"""The search decides it; smaller pages cannot be asked for."""
_USUAL_ROWS: Final = 12_000
_NUMBER: Final = re.compile(r"[0-9]{5}")
_COURSE: Final = re.compile(r"([A-Za-z]{2,4})[ -]?([0-9]{3}[A-Za-z]?)")


class ListQuery(Struct, frozen=True, omit_defaults=True, tag="list"):
    """One page of a course, a subject, or the whole term if `subject` is empty.

    Shape: `scroll` is the search engine's cursor, empty for the first page; `seen` rows are on those before.
    """

    subject: str = ""
    number: str = ""
    scroll: str = ""
    seen: int = 0

    @property
    def criteria(self) -> dict[str, str]:
        """The parameters of the search."""
        asked = {"subject": self.subject, "catalogNbr": self.number, "scrollId": self.scroll}
        return {name: value for name, value in asked.items() if value}

    def after(self, scroll: str, seen: int) -> ListQuery:
        """The next page."""
        return ListQuery(self.subject, self.number, scroll, seen)


class ClassQuery(Struct, frozen=True, tag="class"):
    """The class `number`."""

    number: str


Query = ListQuery | ClassQuery


@dataclass(frozen=True, slots=True)
class Asu:
    """The catalog of Arizona State University."""

    identity: CatalogIdentity
    options: FamilyOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`."""
        return Capabilities(counts=True, status=True, waitlist=True, reserved=True, name_search=True)

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`."""
        del session  # there is none
        return (yield from self._requests.terms())

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: a unit for each subject, or its only watched course, and for each unknown course."""
        if watched is None:
            pages = -(-(known_rows or _USUAL_ROWS) // PAGE_ROWS)
            return [replace(_unit(term, ListQuery(), "all", frozenset()), requests=max(1, pages))]
        searches, unknown = subject_searches(watched)
        return [
            *(
                _unit(term, ClassQuery(key.number), f"class {key.number}", frozenset({key}))
                for key in unknown
            ),
            *(
                _unit(term, ListQuery(each.subject, each.number), f"courses {each.name}", each.keys)
                for each in searches
            ),
        ]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`."""
        query: Query = msgspec.json.decode(unit.query, type=Query)
        if isinstance(query, ClassQuery):
            return (yield from self._class(unit, query.number, session, at))
        return (yield from self._page(unit, query, session, at))

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: None, rows state everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: by class number, by course such as CSE 110, or by words; the first page."""
        del session
        words = " ".join(text.split())
        if not words:
            return []
        found = yield from self._requests.search(term, _criteria(words))
        rows = observations(found.items(), self.identity.id, term, at)
        return _exact(rows, words) if _NUMBER.fullmatch(words) else rows

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a class number, or a link to the class search or to registration."""
        if _NUMBER.fullmatch(text.strip()):
            return SectionReference(text.strip())
        link = split_link(text)
        if link is None:
            return None
        asked = parameters(link)
        if link.hostname == _REGISTRATION:
            numbers, term = [asked.get("asu_class_nbr", "")], asked.get("strm")
        elif link.hostname in _HOSTS:
            opened = parse_qs(link.fragment).get("detailsOpen", [""])[0].partition("-")[0]
            numbers, term = [asked.get("classnbr", ""), opened, asked.get("keywords", "")], asked.get("term")
        else:
            return None
        number = next(filter(_NUMBER.fullmatch, numbers), None)
        return None if number is None else SectionReference(number, term)

    def _page(self, unit: Unit, query: ListQuery, session: Session, at: datetime) -> Exchange[Answer]:
        found = yield from self._requests.search(unit.term, query.criteria)
        rows = observations(found.items(), self.identity.id, unit.term, at)
        seen, total = query.seen + len(rows), found.count
        if query.subject:
            _check_subject(rows, query.subject)
        if total is not None and (seen > total or (seen < total and not rows)):
            raise PartialAnswerError(f"ASU's pages have {seen} of {total} classes")
        if not seen:
            yield from self._requests.prove(unit.term, session, at)
        if not rows or seen == total:
            return Answer(rows, total=seen, proof=f"The search of {unit.term} has {seen} classes.")
        if not found.scroll:
            raise PartialAnswerError(f"ASU's page has no scrollId after {seen} of {total} classes")
        following = _unit(unit.term, query.after(found.scroll, seen), "", unit.covers, unit.scope)
        return Answer(rows, total=total, continuation=following)

    def _class(self, unit: Unit, number: str, session: Session, at: datetime) -> Exchange[Answer]:
        found = yield from self._requests.search(unit.term, {"classNbr": number})
        rows = _exact(observations(found.items(), self.identity.id, unit.term, at), number)
        if not rows:
            yield from self._requests.prove(unit.term, session, at)
        return Answer(rows, proof=f"The search for class {number} in {unit.term} finds none.")

    @property
    def _requests(self) -> AsuRequests:
        return AsuRequests(self.options)


def _exact(rows: Sequence[Observation], number: str) -> list[Observation]:
    """The class `number`: the search for a number also finds similar ones."""
    return [seen for seen in rows if seen.key.number == number]


def _check_subject(rows: Sequence[Observation], subject: str) -> None:
    for seen in rows:
        if seen.details.course.rpartition(" ")[0] != subject:
            raise PartialAnswerError(
                f"ASU's answer for {subject} has a class of {seen.details.course[:16]!r}"
            )


def _criteria(words: str) -> dict[str, str]:
    if _NUMBER.fullmatch(words):
        return {"classNbr": words}
    if course := _COURSE.fullmatch(words):
        return {"subject": course[1].upper(), "catalogNbr": course[2].upper()}
    return {"keywords": words}


def _unit(term: str, query: Query, what: str, covers: frozenset[SectionKey], scope: str = "") -> Unit:
    return Unit(term, msgspec.json.encode(query).decode(), scope or f"{term} {what}", covers)


def _recognises(url: str) -> FamilyOptions | None:
    link = split_link(url)
    is_ours = link is not None and link.scheme == "https" and link.hostname in _HOSTS
    return FamilyOptions(base_url=_API) if is_ours else None


FAMILY = Family("asu", "Arizona State University class search", FamilyOptions, Asu, _recognises)
