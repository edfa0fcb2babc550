"""HighPoint CX on PeopleSoft: its public class search, read subject by subject.

A section is identified by its class number (`class_nbr`). A search may leave out reserved seats, so the
details of an open section say how many of its seats are for everyone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from catalogs.family import (
    Answer,
    CatalogIdentity,
    Exchange,
    Family,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.hcx_answers import Reader
from catalogs.hcx_requests import FoundPage, HcxOptions, HcxRequests
from catalogs.links import SubjectSearch, parameters, registered_domain, split_link, subject_searches
from domain.catalog import Capabilities, CatalogTerm, PartialAnswerError, SectionReference
from domain.observation import Observation
from domain.section import SectionKey

_USUAL_SUBJECTS: Final = 150
_PAGE_ROWS: Final = 100
_NUMBER: Final = re.compile(r"[0-9]{3,6}")
_COURSE: Final = re.compile(r"([A-Za-z&]{1,8})[ -]?([0-9][0-9A-Za-z]*)")
_MOBILE: Final = re.compile(r"/app/catalog/classsection/([^/]+)/([0-9A-Za-z]+)/([0-9]{3,6})/?")
_ADDRESS: Final = re.compile(r"/ps[cp]/([^/]+)/([^/]+)/SA/s/WEBLIB_HCX_CM\.")


class SubjectQuery(Struct, frozen=True, omit_defaults=True, tag="subject"):
    """One page of a subject, or of its course `number`.

    Shape: `pages` is the number of pages, 0 if no page has stated it. `first` is the first class of the page
    before, `unseen` are the watched classes on none of the pages before, `subjects` follow in a whole term.
    """

    subject: str
    number: str = ""
    unseen: list[str] = []
    subjects: list[str] = []
    page: int = 1
    pages: int = 0
    first: str = ""

    @classmethod
    def of(cls, search: SubjectSearch) -> SubjectQuery:
        """The first page of `search`."""
        return cls(search.subject, search.number, sorted(key.number for key in search.keys))

    @property
    def criteria(self) -> dict[str, str]:
        """The parameters of the search."""
        asked = {"subject": self.subject, "catalog_nbr": self.number}
        return {name: value for name, value in asked.items() if value}


class ClassQuery(Struct, frozen=True, omit_defaults=True, tag="class"):
    """The search for the first of the classes with `numbers`; the others follow."""

    numbers: list[str]


class DetailsQuery(Struct, frozen=True, tag="details"):
    """The details of one class."""

    number: str


class TermQuery(Struct, frozen=True, tag="term"):
    """The whole term, subject by subject."""


Query = SubjectQuery | ClassQuery | DetailsQuery | TermQuery


@dataclass(frozen=True, slots=True)
class Hcx:
    """One catalog on HighPoint CX."""

    identity: CatalogIdentity
    options: HcxOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`."""
        return Capabilities(
            counts=True, status=True, waitlist=True, reserved=True, shared_pool=True, name_search=True
        )

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`: the terms of the search form."""
        found = yield from self._requests.search_options(session)
        return [CatalogTerm(item.strm, unescape(item.descr).strip() or item.strm) for item in found.terms]

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: a unit for each subject, or its only watched course, and for each unknown course.

        The whole term is one unit, which continues with the pages of every subject.
        """
        if watched is None:
            pages = max(_USUAL_SUBJECTS, (known_rows or 0) // _PAGE_ROWS)
            return [_unit(term, TermQuery(), "all", frozenset(), pages)]
        searches, unknown = subject_searches(watched)
        return [
            *(
                _unit(term, ClassQuery([key.number]), f"class {key.number}", frozenset({key}))
                for key in unknown
            ),
            *(_unit(term, SubjectQuery.of(each), f"courses {each.name}", each.keys) for each in searches),
        ]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`."""
        query: Query = msgspec.json.decode(unit.query, type=Query)
        reader = Reader(self.identity, unit.term, at)
        match query:
            case SubjectQuery():
                return (yield from self._subject(unit, query, session, reader))
            case ClassQuery():
                return (yield from self._class(unit, query, session, reader))
            case DetailsQuery(number=number):
                found = yield from self._requests.details(unit.term, number, session)
                return Answer([reader.details(found, number)])
            case TermQuery():
                return (yield from self._term(unit, session))

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: the reserved seats, if the row has open seats and does not state these."""
        if not seen.open_seats or seen.unreserved_seats is not None:
            return None
        key = seen.key
        return _unit(key.term, DetailsQuery(key.number), f"details {key.number}", frozenset({key}))

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: by class number, by course such as CS 1110, or by keyword; the first page."""
        words = " ".join(text.split())
        if not words:
            return []
        found = yield from self._requests.search(term, session, _criteria(words))
        return Reader(self.identity, term, at).rows(found.rows)

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a class number, a link with `class_nbr`, or one of HighPoint's mobile site."""
        if _NUMBER.fullmatch(text.strip()):
            return SectionReference(text.strip())
        link, base = split_link(text), urlsplit(self.options.base_url)
        if link is None:
            return None
        if mobile := _MOBILE.fullmatch(link.path):
            is_ours = mobile[1] == self.options.institution
            is_ours = is_ours and registered_domain(link) == registered_domain(base)
            return SectionReference(mobile[3], mobile[2]) if is_ours else None
        asked = parameters(link)
        number = asked.get("class_nbr", "")
        is_ours = asked.get("institution", self.options.institution) == self.options.institution
        if link.hostname != base.hostname or not _ADDRESS.match(link.path) or not is_ours:
            return None
        return SectionReference(number, asked.get("term")) if _NUMBER.fullmatch(number) else None

    @property
    def _requests(self) -> HcxRequests:
        return HcxRequests(self.options)

    def _term(self, unit: Unit, session: Session) -> Exchange[Answer]:
        subjects = yield from self._requests.subjects(unit.term, session)
        if not subjects:
            raise PartialAnswerError(f"ClassSearchOptions lists no subjects of {unit.term}")
        following = SubjectQuery(subjects[0], subjects=subjects[1:])
        proof = f"The term {unit.term} has {len(subjects)} subjects."
        return Answer([], continuation=_continue(unit, following), proof=proof)

    def _subject(self, unit: Unit, query: SubjectQuery, session: Session, reader: Reader) -> Exchange[Answer]:
        found = yield from self._requests.search(unit.term, session, query.criteria, query.page)
        pages = max(query.pages, found.count)
        rows = reader.rows(found.rows)
        _check_page(query, found, pages)
        if not rows and query.page == 1:
            yield from self._requests.prove(unit.term, session, reader.at)
        following = _following(query, rows, pages)
        return Answer(
            rows,
            continuation=_continue(unit, following) if following else None,
            proof=f"Page {query.page} of {query.subject} in {unit.term} is after the last.",
        )

    def _class(self, unit: Unit, query: ClassQuery, session: Session, reader: Reader) -> Exchange[Answer]:
        number, *others = query.numbers
        found = yield from self._requests.search(unit.term, session, {"class_nbr": number})
        rows = [seen for seen in reader.rows(found.rows) if seen.key.number == number]
        if found.rows and not rows:
            raise PartialAnswerError(f"the search for class {number} has other classes only")
        if not rows:
            yield from self._requests.prove(unit.term, session, reader.at)
        return Answer(
            rows,
            continuation=_continue(unit, ClassQuery(others)) if others else None,
            proof=f"The search for class {number} in {unit.term} finds none.",
        )


def _check_page(query: SubjectQuery, found: FoundPage, pages: int) -> None:
    """Raises: PartialAnswerError for a page that is empty before the last, or the one before once more."""
    if not found.rows and query.page <= pages:
        raise PartialAnswerError(f"page {query.page} of {pages} of {query.subject} is empty")
    if found.rows and query.first == str(found.rows[0].class_nbr):
        raise PartialAnswerError(f"page {query.page} of {query.subject} repeats the page before")


def _following(query: SubjectQuery, rows: Sequence[Observation], pages: int) -> Query | None:
    """What the scope needs next: a page, classes that no page has shown, or another subject."""
    seen = {each.key.number for each in rows}
    unseen = [number for number in query.unseen if number not in seen]
    if query.page < pages or (not pages and rows):
        first = rows[0].key.number
        return replace(query, unseen=unseen, page=query.page + 1, pages=pages, first=first)
    if unseen and query.page > 1:
        # A class that moves from one page to another between two requests is on neither.
        return ClassQuery(unseen)
    if query.subjects:
        return SubjectQuery(query.subjects[0], subjects=query.subjects[1:])
    return None


def _criteria(words: str) -> dict[str, str]:
    if _NUMBER.fullmatch(words):
        return {"class_nbr": words}
    if course := _COURSE.fullmatch(words):
        return {"subject": course[1].upper(), "catalog_nbr": course[2].upper()}
    return {"keyword": words}


def _unit(term: str, query: Query, what: str, covers: frozenset[SectionKey], requests: int = 1) -> Unit:
    return Unit(term, msgspec.json.encode(query).decode(), f"{term} {what}", covers, requests)


def _continue(unit: Unit, query: Query) -> Unit:
    return Unit(unit.term, msgspec.json.encode(query).decode(), unit.scope, unit.covers)


def _recognises(url: str) -> HcxOptions | None:
    link = split_link(url)
    found = _ADDRESS.match(link.path) if link else None
    if link is None or link.scheme != "https" or found is None:
        return None
    institution = parameters(link).get("institution", "")
    if not institution:
        return None
    return HcxOptions(
        base_url=f"https://{link.netloc}", site=found[1], node=found[2], institution=institution
    )


FAMILY = Family("hcx", "HighPoint CX on PeopleSoft", HcxOptions, Hcx, _recognises)
