"""Find the section that a new watch names: by a link to its catalog, and among the listed ones."""

from __future__ import annotations

from difflib import get_close_matches

from actors.services import Services
from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.section_state import SectionState
from operations.watches import seen_at

_NEAREST = 3
_LEAST_SIMILARITY = 0.5


class NotListedError(InvalidInputError):
    """The polled catalog does not list the section; `matches` are the nearest that it does, best first."""

    def __init__(self, key: SectionKey, matches: list[SectionState]) -> None:
        problem = f"{key.source} does not list {key.number} in {key.term}"
        near = ", ".join(map(_named, matches))
        super().__init__({"section": f"{problem}; the nearest are {near}" if near else problem})
        self.matches = matches


def section_of_link(services: Services, link: str, source: str | None, term: str | None) -> SectionKey:
    """Return the section that `link` shows, in `term` or the term in use if the link states none.

    Raises: InvalidInputError if no polled catalog reads the link, several do, or the term is missing.
    """
    catalogs = services.catalogs if source is None else {source: services.catalogs[source]}
    found = {name: each.catalog.parse_link(link) for name, each in catalogs.items()}
    read = {name: reference for name, reference in found.items() if reference is not None}
    if not read:
        raise InvalidInputError({"link": "is not a section of a polled catalog"})
    if len(read) > 1:
        raise InvalidInputError({"source": f"must be given: it may be of {', '.join(sorted(read))}"})
    ((name, reference),) = read.items()
    of_term = reference.term or term or services.store.catalog_terms.current(name)
    if of_term is None:
        raise InvalidInputError({"term": "must be given: the link does not state it"})
    key = SectionKey(name, of_term, reference.number)
    if problems := key.problems():
        raise InvalidInputError({"link": f"is not of a section: {'; '.join(problems.values())}"})
    return key


def require_listed(services: Services, key: SectionKey) -> None:
    """Refuse a section that its polled catalog does not list, with the nearest that it does.

    A catalog whose whole term was never read refuses nothing. Raises: NotListedError.
    """
    if key.source not in services.catalogs:
        return
    state = services.store.sections.get(key)
    if state is not None and seen_at(state) is not None and not state.retired:
        return
    poll = services.store.polls.find((key.source, key.term))
    if poll is not None and poll.swept_at is not None:
        raise NotListedError(key, _nearest(services, key))


def _nearest(services: Services, key: SectionKey) -> list[SectionState]:
    numbers = services.store.search.numbers(key.source, key.term)
    near = get_close_matches(key.number, numbers, _NEAREST, _LEAST_SIMILARITY)
    states = (services.store.sections.get(SectionKey(key.source, key.term, number)) for number in near)
    return [state for state in states if state is not None]


def _named(state: SectionState) -> str:
    return " ".join(filter(None, (state.key.number, state.details.course, state.details.title)))
