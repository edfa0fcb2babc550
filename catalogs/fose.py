"""CourseLeaf's class search (FOSE): a whole term in one request, counts in one request for each section.

A section is identified by its CRN. Rows state only a status; open seats are in the details of a section, and
a section whose status is open may have none. The search page is opened first in each session: some schools
answer only with its cookies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

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
from catalogs.faults import explain, refuse
from catalogs.fose_answers import (
    DetailsAnswer,
    Envelope,
    Row,
    SearchAnswer,
    decode,
    details_observation,
    observations,
)
from catalogs.fose_pages import read_terms
from catalogs.links import parameters, split_link
from domain.catalog import (
    BlockedError,
    Capabilities,
    CatalogTerm,
    PartialAnswerError,
    SectionReference,
    SessionExpiredError,
    SignInRequiredError,
)
from domain.errors import MalformedResponseError
from domain.observation import Observation
from domain.section import SECTION_NUMBER, TERM, SectionKey
from providers.http import HttpResponse

E = TypeVar("E", bound=Envelope)

SEARCH_ROWS: Final = 50
_CRN: Final = re.compile(r"[0-9]{4,6}")
_COURSE: Final = re.compile(r"([A-Za-z&]{1,8}(?:-[A-Za-z]{1,4})?)[ -]?([0-9]{2,5}[A-Za-z]{0,3})")


class FoseOptions(FamilyOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` is the search page or its `api/`, such as https://classes.colorado.edu/api/."""


class UnitQuery(Struct, frozen=True, omit_defaults=True):
    """The query of a unit: the details of the section `crn` of `course`; the whole term without one.

    Shape: `has_rows` if the term is known to have sections.
    """

    crn: str = ""
    course: str = ""
    has_rows: bool = False


@dataclass(frozen=True, slots=True)
class Fose:
    """One catalog on FOSE."""

    identity: CatalogIdentity
    options: FoseOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`."""
        return Capabilities(
            counts=True,
            status=True,
            waitlist=True,
            name_search=True,
            absence="The catalog no longer lists the section in this term.",
        )

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`: the terms of the search page, in its order."""
        page = yield from self._open(session)
        if page.status != HTTPStatus.OK:
            raise refuse(page, "FOSE's search page")
        try:
            return read_terms(page.body.decode("utf-8", "replace"))
        except MalformedResponseError as error:
            raise explain(error, page, "FOSE's search page") from error

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: one unit for the whole term."""
        if watched is not None and not watched:
            return []
        covers = frozenset(each.key for each in watched or ())
        return [_unit(term, UnitQuery(has_rows=bool(covers or known_rows)), covers)]

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`: the rows of the term without counts, or one section with its counts."""
        query = msgspec.json.decode(unit.query, type=UnitQuery)
        if query.crn:
            key = SectionKey(self.identity.id, unit.term, query.crn)
            details = yield from self._post(
                "details", _details_of(key, query.course), session, unit.term, DetailsAnswer
            )
            return Answer([details_observation(details, key, at)])
        found = yield from self._search(unit.term, [], session)
        rows = observations(found.rows(), self.identity.id, unit.term, at)
        return Answer(rows, total=found.count, proof="" if rows else _proof_of_none(found, unit.term, query))

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: the section's counts, None if `seen` has them."""
        if seen.is_counted:
            return None
        query = UnitQuery(seen.key.number, seen.details.course)
        return _unit(seen.key.term, query, frozenset({seen.key}))

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: by CRN, by course such as CSCI 1300, or by words; the first 50, without counts."""
        words = " ".join(text.split())
        if not words:
            return []
        course = _COURSE.fullmatch(words)
        value = f"{course[1]} {course[2]}".upper() if course else words
        name = "crn" if _CRN.fullmatch(words) else "keyword"
        found = yield from self._search(term, [{"field": name, "value": value}], session)
        rows = [row for row in found.rows() if _is_wanted(row, words, is_course=course is not None)]
        return observations(rows[:SEARCH_ROWS], self.identity.id, term, at)

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: a CRN, or a link to the search page with `srcdb`, and `crn` or a CRN as `keyword`."""
        if _CRN.fullmatch(text.strip()):
            return SectionReference(text.strip())
        link = split_link(text)
        if link is None or not link.hostname or link.hostname != urlsplit(self._page).hostname:
            return None
        asked = parameters(link)
        number, term = asked.get("crn", ""), asked.get("srcdb", "")
        if not number and _CRN.fullmatch(asked.get("keyword", "")):
            number = asked["keyword"]
        if not SECTION_NUMBER.matches(number):
            return None
        return SectionReference(number, term if TERM.matches(term) and term.strip("9") else None)

    @property
    def _page(self) -> str:
        return self.options.base_url.rstrip("/").removesuffix("/api") + "/"

    def _search(self, term: str, criteria: list[dict[str, str]], session: Session) -> Exchange[SearchAnswer]:
        payload = {"other": {"srcdb": term}, "criteria": criteria}
        return (yield from self._post("search", payload, session, term, SearchAnswer))

    def _post(self, route: str, payload: object, session: Session, term: str, shape: type[E]) -> Exchange[E]:
        """The answer of `route`. A refusal ends the session: its cookies may be too old."""
        try:
            response = yield from self._send(route, payload, session)
            if not _is_object(response):
                raise refuse(response, f"FOSE's {route}")
            return decode(response.body, shape, term)
        except (BlockedError, SessionExpiredError, SignInRequiredError):
            session.values.pop("opened", None)
            raise

    def _send(self, route: str, payload: object, session: Session) -> Exchange[HttpResponse]:
        """The response of `route`; if it is a page or a redirect in an old session, that of a new one."""
        body = quote(msgspec.json.encode(payload), safe="").encode()
        request = CatalogRequest(
            "POST",
            f"{self._page}api/?page=fose&route={route}",
            body,
            headers={"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"},
        )
        if "opened" in session.values:
            response = yield request
            if _is_object(response) or response.status >= HTTPStatus.BAD_REQUEST:
                return response
        yield from self._open(session)
        return (yield request)

    def _open(self, session: Session) -> Exchange[HttpResponse]:
        """The search page, whose cookies the session needs."""
        session.values.pop("opened", None)
        page = yield CatalogRequest("GET", self._page)
        if page.status >= HTTPStatus.BAD_REQUEST:
            raise refuse(page, "FOSE's search page")
        session.values["opened"] = "yes"
        return page


def _unit(term: str, query: UnitQuery, covers: frozenset[SectionKey]) -> Unit:
    return Unit(term, msgspec.json.encode(query).decode(), f"{term} {query.crn}".strip(), covers)


def _details_of(key: SectionKey, course: str) -> dict[str, str]:
    asked = {"key": f"crn:{key.number}", "srcdb": key.term, "matched": f"crn:{key.number}"}
    return {"group": f"code:{course}", **asked} if course else asked


def _proof_of_none(found: SearchAnswer, term: str, query: UnitQuery) -> str:
    """Why a term without rows is complete. Raises: PartialAnswerError without a proof.

    If the term has had sections, an empty answer is no proof that they are gone.
    """
    if query.has_rows or found.count != 0 or found.srcdb != term:
        raise PartialAnswerError(f"FOSE's answer has no section of the term {term}, without a proof")
    return f"The search states that the term {term} has no sections."


def _is_object(response: HttpResponse) -> bool:
    return response.status == HTTPStatus.OK and response.body[:64].lstrip()[:1] == b"{"


def _is_wanted(row: Row, words: str, *, is_course: bool) -> bool:
    """Whether the search means `row`: a keyword finds neighbours of a course too."""
    if _CRN.fullmatch(words):
        return row.crn == words
    return not is_course or _compact(row.code) == _compact(words)


def _compact(code: str) -> str:
    return re.sub(r"[ -]", "", code).upper()


def _recognises(url: str) -> FoseOptions | None:
    link = split_link(url)
    if link is None or link.scheme != "https" or not link.netloc:
        return None
    asked = parameters(link)
    if asked.get("page") != "fose" and "srcdb" not in asked:
        return None
    page = link.path.rstrip("/").removesuffix("/api")
    return FoseOptions(base_url=f"https://{link.netloc}{page}/api/")


FAMILY = Family("fose", "CourseLeaf class search (FOSE)", FoseOptions, Fose, _recognises)
