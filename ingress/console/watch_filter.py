"""The filter of watches, as a form."""

from __future__ import annotations

from msgspec import Struct

from operations.inputs import Email, SectionNumber, SourceName, Term
from store.watches import WatchFilter


class WatchFilterForm(Struct, frozen=True, kw_only=True):
    """The filter; a blank field does not filter."""

    email: Email | None = None
    source: SourceName | None = None
    term: Term | None = None
    section: SectionNumber | None = None

    @property
    def filter(self) -> WatchFilter:
        """Return the combined filter."""
        return WatchFilter(self.email, self.source, self.term, self.section)

    @property
    def given(self) -> dict[str, str]:
        """Return the filter as form fields, including blank ones."""
        return {name: getattr(self, name) or "" for name in ("email", "source", "term", "section")}
