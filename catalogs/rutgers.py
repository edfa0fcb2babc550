"""The Schedule of Classes of Rutgers: a list of open sections, and the courses of a campus.

A section is identified by its index, five digits that are unique in a term and reused in the next. The open
list has only the indexes of open sections, so it cannot show that a section exists: courses.json does. Both
are read together. The open list ignores the campus, except that the online campuses share a second one.

The session keeps the sections of courses.json (21 MB at New Brunswick) for the 15 minutes that the catalog
permits. An empty list is also the answer to a wrong parameter, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit

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
from catalogs.faults import explain, is_html, refuse
from catalogs.links import parameters, split_link
from catalogs.rutgers_answers import (
    INDEX,
    SEASONS,
    ListedSection,
    current_term,
    listed_sections,
    open_indexes,
)
from domain.catalog import Capabilities, CatalogTerm, PartialAnswerError, SectionReference, WrongTermError
from domain.errors import MalformedResponseError
from domain.observation import Observation

T = TypeVar("T")

Campus: TypeAlias = Literal["NB", "NK", "CM", "ONLINE_NB", "ONLINE_NK", "ONLINE_CM"]
Opened: TypeAlias = dict[bool, frozenset[str]]
"""The indexes of open sections: of the online campuses (True) and of the others (False)."""

LISTING_AGE: Final = timedelta(minutes=15)
"""How long the sections of courses.json are used: its max-age is 900."""
SEARCH_SECTIONS: Final = 50
_HOSTS: Final = frozenset({"classes.rutgers.edu", "sis.rutgers.edu"})
_WEBREG: Final = "sims.rutgers.edu"
_FOLLOWING_TERMS: Final = 3
_TERM_LENGTH: Final = 5


class RutgersOptions(FamilyOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` ends before `api`, such as https://classes.rutgers.edu/soc.

    `campuses` are those whose sections can be watched.
    """

    campuses: tuple[Campus, ...] = ("NB", "ONLINE_NB")


class Listing(Struct, frozen=True):
    """The sections of all campuses as read at `read_at`; `empty` are the campuses without any."""

    read_at: datetime
    sections: list[ListedSection]
    empty: list[str]


@dataclass(frozen=True, slots=True)
class Rutgers:
    """The catalog of Rutgers."""

    identity: CatalogIdentity
    options: RutgersOptions

    @property
    def capabilities(self) -> Capabilities:
        """As `Catalog`: only open or not."""
        return Capabilities(
            status=True, absence="The courses of the profile's campuses no longer list the index."
        )

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """As `Catalog`: the page's current term, and those after it that have open sections, newest first."""
        del session
        term = yield from self._get(f"{self._base}/", "the page of the catalog", current_term, is_page=True)
        found = [CatalogTerm(term.code, term.label)]
        for _ in range(_FOLLOWING_TERMS):
            term = term.following()
            if (yield from self._open(term.code, self.options.campuses[0])):
                found.insert(0, CatalogTerm(term.code, term.label))
        return found

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """As `Catalog`: one unit of a request for each open list, besides the courses every 15 minutes."""
        del known_rows
        lists = len({_is_online(campus) for campus in self.options.campuses})
        if watched is None:
            return [Unit(term, "", term, requests=lists)]
        keys = frozenset(each.key for each in watched)
        return [Unit(term, "watched", term, keys, lists)] if keys else []

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """As `Catalog`; `total` is more than the rows while a campus lists no courses, but has open sections.

        Raises: PartialAnswerError for an empty list that cannot be right.
        """
        listing = yield from self._listing(unit.term, session, at)
        opened = yield from self._opened(listing, unit.term)
        asked = {key.number for key in unit.covers}
        sections = [each for each in listing.sections if each.index in asked or not unit.query]
        rows = self._observations(sections, opened, unit.term, at)
        is_unproved = _lacks_a_campus(listing, opened) and (not asked or len(rows) < len(asked))
        proof = f"The courses list {len(listing.sections)} other sections."
        return Answer(rows, len(rows) + is_unproved, proof=proof)

    def details(self, seen: Observation) -> Unit | None:
        """As `Catalog`: None, rows state everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """As `Catalog`: the sections with all words in their index, course, title or instructors."""
        listing = yield from self._listing(term, session, at)
        words = text.casefold().split()
        found = [section for section in listing.sections if words and _has_words(section, words)]
        opened = yield from self._opened(listing, term)
        return self._observations(found[:SEARCH_SECTIONS], opened, term, at)

    def parse_link(self, text: str) -> SectionReference | None:
        """As `Catalog`: an index, or a link to WebReg or to the catalog's keyword search for one."""
        if INDEX.fullmatch(text.strip()):
            return SectionReference(text.strip())
        link = split_link(text)
        if link is None or link.hostname is None:
            return None
        if link.hostname == _WEBREG:
            asked, name, term_name = parameters(link), "indexlist", "semesterselection"
        elif link.hostname in {*_HOSTS, urlsplit(self.options.base_url).hostname}:
            asked = parameters(link._replace(query=link.fragment.partition("?")[2]))
            name, term_name = "keyword", "semester"
        else:
            return None
        number, term = asked.get(name, ""), asked.get(term_name, "")
        if not INDEX.fullmatch(number):
            return None
        return SectionReference(number, term if _is_term(term) else None)

    @property
    def _base(self) -> str:
        return self.options.base_url.rstrip("/")

    def _observations(
        self, sections: Iterable[ListedSection], opened: Opened, term: str, at: datetime
    ) -> list[Observation]:
        indexes = frozenset().union(*opened.values())
        return [section.observation(self.identity.id, term, at, indexes) for section in sections]

    def _opened(self, listing: Listing, term: str) -> Exchange[Opened]:
        """The open lists of the campuses; an empty list of campuses with courses is a fault."""
        opened: Opened = {}
        for campus in self.options.campuses:
            if _is_online(campus) not in opened:
                opened[_is_online(campus)] = yield from self._open(term, campus)
            if campus not in listing.empty and not opened[_is_online(campus)]:
                raise PartialAnswerError(f"Rutgers' open list of {campus} is empty, its courses are not")
        return opened

    def _listing(self, term: str, session: Session, at: datetime) -> Exchange[Listing]:
        """The sections of the term, from the session while they are fresh."""
        kept = session.values.get(f"listing {term}")
        listing = msgspec.json.decode(kept, type=Listing) if kept else None
        if listing is None or not timedelta() <= at - listing.read_at < LISTING_AGE:
            listing = yield from self._read_listing(term, at)
            session.values[f"listing {term}"] = msgspec.json.encode(listing).decode()
        return listing

    def _read_listing(self, term: str, at: datetime) -> Exchange[Listing]:
        sections: dict[str, ListedSection] = {}
        empty: list[str] = []
        for campus in self.options.campuses:
            found = yield from self._get_list("courses", term, campus, listed_sections)
            for section in found:
                if sections.setdefault(section.index, section).course != section.course:
                    raise PartialAnswerError(f"two campuses list the index {section.index} differently")
            if not found:
                empty.append(campus)
        if not sections:
            raise PartialAnswerError(f"Rutgers lists no courses in {term}: it may not be published")
        return Listing(at, list(sections.values()), empty)

    def _open(self, term: str, campus: str) -> Exchange[frozenset[str]]:
        return (yield from self._get_list("openSections", term, campus, open_indexes))

    def _get_list(self, name: str, term: str, campus: str, read: Callable[[bytes], T]) -> Exchange[T]:
        if not _is_term(term):
            raise WrongTermError(f"{term} is not a term of Rutgers, such as 92026")
        query = urlencode({"year": term[1:], "term": term[0], "campus": campus})
        return (yield from self._get(f"{self._base}/api/{name}.json?{query}", f"{name}.json", read))

    def _get(self, url: str, what: str, read: Callable[[bytes], T], *, is_page: bool = False) -> Exchange[T]:
        response = yield CatalogRequest("GET", url, is_conditional=not is_page)
        if response.status != HTTPStatus.OK or (is_html(response) and not is_page):
            raise refuse(response, what)
        try:
            return read(response.body)
        except MalformedResponseError as error:
            raise explain(error, response, what) from error


def _lacks_a_campus(listing: Listing, opened: Opened) -> bool:
    """Whether a campus has no courses although its open list, which others may share, is not empty."""
    return any(opened[_is_online(campus)] for campus in listing.empty)


def _is_online(campus: str) -> bool:
    return campus.startswith("ONLINE_")


def _is_term(code: str) -> bool:
    is_number = len(code) == _TERM_LENGTH and code.isascii() and code.isdecimal()
    return is_number and int(code[0]) in SEASONS


def _has_words(section: ListedSection, words: Sequence[str]) -> bool:
    text = f"{section.index} {section.course} {section.title} {section.taught_by}".casefold()
    return all(word in text for word in words)


def _recognises(url: str) -> RutgersOptions | None:
    link = split_link(url)
    if link is None or link.scheme != "https" or link.hostname not in _HOSTS:
        return None
    if link.path.split("/")[1:2] != ["soc"]:
        return None
    return RutgersOptions(base_url=f"https://{link.hostname}/soc")


FAMILY = Family(
    "rutgers",
    "Rutgers Schedule of Classes",
    RutgersOptions,
    Rutgers,
    _recognises,
    every_seconds=30,
)
