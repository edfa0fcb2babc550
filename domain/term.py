"""Whether a term is still listed in its catalog. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.section_state import is_mass_missing

Term = tuple[str, str]
"""A source, and one of its terms."""
SMALLEST_TERM = 5
"""A term with fewer sections is too small to assess alone: one of four is more than a fifth."""
OVER_AFTER = timedelta(days=1)
ENDED = "the term has ended"
"""Why a watch ended with its term."""


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
