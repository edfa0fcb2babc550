"""The filter of watches, as a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ingress import fields
from ingress.fields import unless_blank
from store.watches import WatchFilter


@dataclass(frozen=True, slots=True)
class WatchFilterForm:
    """The filter; a blank field does not filter."""

    email: Annotated[str | None, unless_blank(fields.address)] = None
    source: Annotated[str | None, unless_blank(fields.source)] = None
    term: Annotated[str | None, unless_blank(fields.term)] = None
    section: Annotated[str | None, unless_blank(fields.section)] = None

    @property
    def filter(self) -> WatchFilter:
        """Return the combined filter."""
        return WatchFilter(self.email, self.source, self.term, self.section)

    @property
    def given(self) -> dict[str, str]:
        """Return the filter as form fields, including blank ones."""
        return {name: getattr(self, name) or "" for name in ("email", "source", "term", "section")}
