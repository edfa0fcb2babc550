"""What the sections of one query show about a catalog: counts, and what is unusual. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.catalog import Capabilities, CatalogTerm
from domain.observation import Observation, SectionStatus
from domain.text import plural

_SLOW_SECONDS = 10.0
_MANY = 20  # fewer sections say little about a catalog


@dataclass(frozen=True, slots=True)
class Counts:
    """Sections of a query: those with a free seat, with a free waitlist place, and without a statement."""

    sections: int
    open: int
    with_waitlist: int
    unknown: int


def counts(sections: Sequence[Observation]) -> Counts:
    """The counts of `sections`."""
    return Counts(
        sections=len(sections),
        open=sum(bool(seen.open_seats) for seen in sections),
        with_waitlist=sum(bool(seen.waitlist_places) for seen in sections),
        unknown=sum(seen.open_seats is None for seen in sections),
    )


def unusual(
    terms: Sequence[CatalogTerm],
    term: CatalogTerm,
    sections: Sequence[Observation],
    capabilities: Capabilities,
) -> list[str]:
    """Sentences about what a healthy catalog in its registration period does not show."""
    found = counts(sections)
    if not found.sections:
        return [*_terms(terms, term), f"The query of {term.code} found no sections."]
    return [*_terms(terms, term), *_seats(found), *_statements(sections, capabilities)]


def slow(seconds: float, requests: int) -> list[str]:
    """A sentence if the responses take long, on average."""
    mean = seconds / max(1, requests)
    return [f"A response takes {mean:.0f} s on average."] if mean > _SLOW_SECONDS else []


def _terms(terms: Sequence[CatalogTerm], term: CatalogTerm) -> list[str]:
    if all(each.is_view_only for each in terms):
        return ["No listed term is open for registration."]
    return [f"Registration for {term.code} is over."] if term.is_view_only else []


def _seats(found: Counts) -> list[str]:
    said = []
    if found.unknown:
        said.append(f"{plural(found.unknown, 'section')} of {found.sections} state neither seats nor status.")
    if found.sections >= _MANY and found.open in {0, found.sections}:
        said.append("Every section is open." if found.open else "No section is open.")
    return said


def _statements(sections: Sequence[Observation], capabilities: Capabilities) -> list[str]:
    """What the family can state and this catalog does not, and rows that contradict themselves."""
    nameless = sum(not seen.details.course or not seen.details.title for seen in sections)
    full = sum(seen.status is SectionStatus.OPEN and seen.open_seats == 0 for seen in sections)
    said = [
        (capabilities.counts and not any(seen.is_counted for seen in sections), "No section states seats."),
        (
            capabilities.waitlist and all(seen.waitlist_places is None for seen in sections),
            "No section states waitlist places.",
        ),
        (nameless > 0, f"{plural(nameless, 'section')} of {len(sections)} without course or title."),
        (full > 0, f'{plural(full, "section")} of {len(sections)} "open" without a free seat.'),
    ]
    return [sentence for is_so, sentence in said if is_so]
