"""Ellucian Banner 9: its public class search, read in pages of 500 sections.

A section is identified by its CRN; `sequenceNumber` is 0 everywhere at some universities. One search covers
the subjects of the watched sections; where these are unknown or many, it covers the whole term.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from catalogs.banner9_answers import Row, observations
from catalogs.banner9_requests import PAGE_ROWS, BannerOptions, BannerRequests, Criteria
from catalogs.family import (
    Answer,
    CatalogIdentity,
    Exchange,
    Family,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.links import parameters, registered_domain, split_link
from domain.catalog import Capabilities, CatalogTerm, SectionReference
from domain.observation import Observation
from domain.section import SectionKey

MAX_SUBJECTS: Final = 15
"""Above this many subjects, the whole term is read instead."""
SEARCH_ROWS: Final = 50
_CRN: Final = re.compile(r"[0-9]{4,6}")
_COURSE: Final = re.compile(r"([A-Za-z&]{1,8})[ -]?([0-9][0-9A-Za-z]*)")


class PageQuery(Struct, frozen=True, omit_defaults=True):
    """The query of a unit: one page of a search; `is_last` is the last page that is planned."""

    criteria: Criteria
    offset: int = 0
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Banner9:
    """One catalog on Banner 9."""

    identity: CatalogIdentity
    options: BannerOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`."""
        return Capabilities(counts=True, waitlist=True, reserved=True, shared_pool=True, name_search=True)

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`: the newest hundred."""
        del session  # the list of terms needs none
        items = yield from self._requests.terms()
        return [item.term() for item in items]

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: one page for the subjects, or the pages of the whole term."""
        if watched is not None and not watched:
            return []
        covers = frozenset(each.key for each in watched or ())
        criteria = Criteria(_subjects(watched or ()))
        pages = 1 if criteria.subjects else max(1, -(-(known_rows or 0) // PAGE_ROWS))
        return [
            _unit(term, PageQuery(criteria, page * PAGE_ROWS, page == pages - 1), covers)
            for page in range(pages)
        ]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`: one page; the last continues with another if there are more rows."""
        query = msgspec.json.decode(unit.query, type=PageQuery)
        window = query.offset, PAGE_ROWS
        found = yield from self._requests.rows(unit.term, query.criteria, session, at, window)
        end = query.offset + PAGE_ROWS
        following = None
        if query.is_last and end < found.total:
            following = _unit(unit.term, PageQuery(query.criteria, end, is_last=True), unit.covers)
        return Answer(
            observations(found.rows, self.identity.id, unit.term, at),
            total=found.total,
            continuation=following,
            proof=f"The search has {found.total} sections.",
        )

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: None, rows state everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: by CRN, by course such as MATH 1073, or by words of the title; the first 50."""
        words = " ".join(text.split())
        if not words:
            return []
        if _CRN.fullmatch(words):
            rows = yield from self._rows_of(words, term, session, at)
        else:
            found = yield from self._requests.rows(term, _criteria(words), session, at, (0, SEARCH_ROWS))
            rows = found.rows
        return observations(rows, self.identity.id, term, at)

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a CRN, or a Banner 8 link of the same university with `crn_in` and `term_in`."""
        if _CRN.fullmatch(text.strip()):
            return SectionReference(text.strip())
        link, base = split_link(text), urlsplit(self.options.base_url)
        if link is None or registered_domain(link) != registered_domain(base):
            return None
        asked = parameters(link)
        crn, term = asked.get("crn_in", ""), asked.get("term_in", "")
        if not _CRN.fullmatch(crn):
            return None
        return SectionReference(crn, term if term.isdecimal() else None)

    def _rows_of(self, crn: str, term: str, session: Session, at: datetime) -> Exchange[list[Row]]:
        """The rows with `crn`, from the pages of the term: many catalogs ignore a CRN as filter."""
        offset, total = 0, 1
        while offset < total:
            found = yield from self._requests.rows(term, Criteria(), session, at, (offset, PAGE_ROWS))
            if rows := [row for row in found.rows if row.course_reference_number == crn]:
                return rows
            offset, total = offset + PAGE_ROWS, found.total
        return []

    @property
    def _requests(self) -> BannerRequests:
        return BannerRequests(self.options)


def _subjects(watched: Sequence[WatchedSection]) -> tuple[str, ...]:
    """The subjects of the courses; empty, which is the whole term, if one is unknown or they are many."""
    subjects = {each.course.rpartition(" ")[0] for each in watched}
    if len(subjects) > MAX_SUBJECTS or any(not subject or "," in subject for subject in subjects):
        return ()
    return tuple(sorted(subjects))


def _criteria(words: str) -> Criteria:
    if course := _COURSE.fullmatch(words):
        return Criteria(subjects=(course[1].upper(),), number=course[2].upper())
    return Criteria(title=words)


def _unit(term: str, query: PageQuery, covers: frozenset[SectionKey]) -> Unit:
    scope = f"{term} {','.join(query.criteria.subjects)}".strip()
    return Unit(term, msgspec.json.encode(query).decode(), scope, covers)


def _recognises(url: str) -> BannerOptions | None:
    link = split_link(url)
    if link is None:
        return None
    root, is_banner, _ = link.path.partition("/ssb/")
    if link.scheme != "https" or not is_banner or not link.netloc:
        return None
    mep_code = parameters(link).get("mepcode", "")
    return BannerOptions(base_url=f"https://{link.netloc}{root}", mep_code=mep_code)


FAMILY = Family("banner9", "Ellucian Banner 9", BannerOptions, Banner9, _recognises)
