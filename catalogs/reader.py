"""Reads one catalog on demand: its terms, a sample of a term, all sections of a term, a search.

Used by commands. Every method raises the errors of `domain.catalog` and of `CatalogClient.run`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from catalogs.active import ActiveCatalog
from catalogs.family import Answer, Exchange, Unit, WatchedSection
from domain.catalog import CatalogTerm, PartialAnswerError
from domain.errors import InvalidInputError
from domain.observation import Missing, Observation
from domain.ports import Clock
from domain.section import SectionKey

_SHOWN_TERMS = 5
_SAMPLED_UNITS = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """Sections of a term, each once; `total` is how many the catalog states, None if it does not."""

    sections: Sequence[Observation]
    total: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether these are all sections of the query."""
        return self.total is None or self.total == len(self.sections)


class CatalogReader:
    """Reads a catalog with a session of its own, for one thread at a time."""

    def __init__(self, active: ActiveCatalog, clock: Clock) -> None:
        self.profile = active.profile
        self.catalog = active.catalog
        self.client = active.connect()
        self._clock = clock

    def terms(self) -> list[CatalogTerm]:
        """The terms that the catalog lists."""
        return self.client.run(self.catalog.terms(self.client.session))

    def term(self, terms: Sequence[CatalogTerm], code: str | None) -> CatalogTerm:
        """The term `code` of `terms`; for None the first that is open for registration, else the first.

        Raises: InvalidInputError if there is none.
        """
        if code is not None:
            terms = [each for each in terms if each.code == code] or self._refuse(terms, code)
        if not terms:
            raise InvalidInputError({"term": f"{self.profile.id} lists no terms"})
        return next((each for each in terms if not each.is_view_only), terms[0])

    def sample(self, term: str) -> Listing:
        """The answer to one query: the first unit of the term, or a search where it cannot be listed.

        The first open section has its details, where the family reads them apart.
        """
        if not self.catalog.capabilities.lists_term:
            return Listing(self.search(term, ""))
        answer = self._first(self.catalog.plan(term, None)[0])
        found = {seen.key: seen for seen in answer.observations}
        first = next((seen for seen in answer.observations if seen.open_seats), None)
        details = None if first is None else self.catalog.details(first)
        if details is not None:
            found |= {seen.key: seen for seen in self._fetch(details).observations}
        return Listing(list(found.values()), answer.total)

    def sections(self, code: str, advance: Callable[[int, int], None]) -> Listing:
        """All sections of the term `code`; `advance` receives the number of sections read and their total.

        Raises: InvalidInputError if the catalog cannot list a term, or does not list this one.
        """
        if not self.catalog.capabilities.lists_term:
            hint = f"use `rollcall catalog search {self.profile.id} TEXT`"
            raise InvalidInputError({self.profile.id: f"cannot list a whole term: {hint}"})
        return self._read(self.catalog.plan(self.term(self.terms(), code).code, None), advance)

    def section(self, key: SectionKey, course: str) -> Observation | Missing:
        """The section `key` of `course`, which is empty if it is unknown.

        Raises: PartialAnswerError if it is neither found nor proved missing.
        """
        is_findable = not course and not self.catalog.capabilities.lists_term
        found = _of(key, self.search(key.term, key.number)) if is_findable else None
        if found is None:
            listing = self._read(self.catalog.plan(key.term, [WatchedSection(key, course)]), _unobserved)
            found = _of(key, listing.sections)
            if found is None and listing.is_complete:
                return Missing(key, self._clock.now())
            if found is None:
                raise PartialAnswerError(f"{len(listing.sections)} of {listing.total} sections could be read")
        details = self.catalog.details(found)
        return found if details is None else _of(key, self._fetch(details).observations) or found

    def search(self, term: str, text: str) -> list[Observation]:
        """The sections of `term` that match `text`."""
        at = self._clock.now()
        return self.client.run(self.catalog.search(term, text, self.client.session, at))

    def _read(self, planned: Iterable[Unit], advance: Callable[[int, int], None]) -> Listing:
        """The answers to `planned` and to the units that continue them."""
        units = deque(planned)
        rows: dict[str, dict[SectionKey, Observation]] = defaultdict(dict)
        totals: dict[str, int] = {}
        while units:
            unit = units.popleft()
            answer = self._fetch(unit)
            found = rows[unit.scope]
            found.update((seen.key, seen) for seen in answer.observations)
            totals[unit.scope] = len(found) if answer.total is None else answer.total
            if answer.continuation is not None:
                units.append(answer.continuation)
            advance(sum(map(len, rows.values())), sum(totals.values()))
        sections = [seen for found in rows.values() for seen in found.values()]
        return Listing(sections, sum(totals.values()))

    def _first(self, unit: Unit) -> Answer:
        """The answer to `unit`, or to what continues it: the first of a few with sections."""
        answer = self._fetch(unit)
        for _ in range(_SAMPLED_UNITS):
            if answer.observations or answer.continuation is None:
                break
            answer = self._fetch(answer.continuation)
        return answer

    def _fetch(self, unit: Unit) -> Answer:
        exchange: Exchange[Answer] = self.catalog.fetch(unit, self.client.session, self._clock.now())
        return self.client.run(exchange)

    def _refuse(self, terms: Sequence[CatalogTerm], code: str) -> list[CatalogTerm]:
        known = ", ".join(each.code for each in terms[:_SHOWN_TERMS])
        raise InvalidInputError({"term": f"{self.profile.id} does not list {code}; it lists {known}, …"})


def _of(key: SectionKey, sections: Iterable[Observation]) -> Observation | None:
    return next((seen for seen in sections if seen.key == key), None)


def _unobserved(_read: int, _total: int) -> None:
    """Ignore progress."""
