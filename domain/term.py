"""Terms: whether one is still listed in its catalog, and which one is next. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.catalog import CatalogTerm
from domain.section_state import is_mass_missing

Term = tuple[str, str]
"""A source, and one of its terms."""
SMALLEST_TERM = 5
"""A term with fewer sections is too small to assess alone: one of four is more than a fifth."""
OVER_AFTER = timedelta(days=1)
ENDED = "the term has ended"
"""Why a watch ended with its term."""


_SEASONS: Final = {"spring": 1, "summer": 2, "fall": 3, "autumn": 3}
_YEAR: Final = re.compile(r"\b(20[0-9]{2})\b")
_SEASON: Final = re.compile(r"\b(spring|summer|fall|autumn)\b", re.IGNORECASE)
_SPECIAL: Final = re.compile(
    r"winter|january|intersession|maymester|extension|continuing|extended|online|quarter|study abroad|medical"
    r"|law|non.?credit|special|session",
    re.IGNORECASE,
)
"""Names of terms that are beside the ordinary ones: an operator may use them, and Rollcall proposes none."""


class TermState(StrEnum):
    """Whether a term that a catalog lists is in use: an operator decides, Rollcall only proposes."""

    LISTED = "listed"
    PROPOSED = "proposed"
    CURRENT = "current"
    PAST = "past"


def next_terms(listed: Iterable[CatalogTerm], current: str) -> list[CatalogTerm]:
    """The ordinary terms after `current` that are open for registration, the next one first.

    Their order is that of year and season in their labels, such as "Fall 2026"; without both, or if `current`
    is not listed, there is no next term.
    """
    terms = list(listed)
    now = next((_order(term) for term in terms if term.code == current), None)
    if now is None:
        return []
    later = [
        (order, term)
        for term in terms
        if (order := _order(term)) is not None and order > now
        if not term.is_view_only and not _SPECIAL.search(term.label)
    ]
    return [term for _, term in sorted(later, key=lambda each: each[0])]


def _order(term: CatalogTerm) -> tuple[int, int] | None:
    year, season = _YEAR.search(term.label), _SEASON.search(term.label)
    return None if year is None or season is None else (int(year[1]), _SEASONS[season[1].lower()])


@dataclass(frozen=True, slots=True)
class Presence:
    """How many of a term's tracked sections are missing; `missing_since` is when the last one disappeared.

    Shape: `listed` is the number of sections in the last complete answer of a polled catalog, tracked or not;
    0 for other sources.
    """

    missing: int
    tracked: int
    missing_since: datetime | None = None
    listed: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether the catalog lists none of its sections."""
        return self.missing == self.tracked and not self.listed

    @property
    def known(self) -> int:
        """The number of sections of which some are missing."""
        return max(self.tracked, self.listed + self.missing)

    def is_over(self, now: datetime) -> bool:
        """Whether it has been gone long enough for an operator to end it."""
        return self.is_gone and self.missing_since is not None and now - self.missing_since >= OVER_AFTER


def unreliable_terms(terms: Mapping[str, Presence]) -> set[str]:
    """The terms of one source with so many sections missing at once that the source is unreliable.

    A term that is gone as a whole has ended, or its source is broken; neither affects the other terms. A term
    too small to assess alone is assessed with all terms that the source still lists.
    """
    listed = [each for each in terms.values() if not each.is_gone]
    is_source_unreliable = is_mass_missing(sum(e.missing for e in listed), sum(e.known for e in listed))
    return {
        term
        for term, each in terms.items()
        if each.is_gone
        or (is_source_unreliable if each.known < SMALLEST_TERM else is_mass_missing(each.missing, each.known))
    }
