"""Decodes named values as a watch; JSON and CSV share it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from domain.section import SectionKey
from operations.inputs import Email, Kinds, MinSeats, SectionNumber, SourceName, Term, decode
from store.watch_import import WatchRequest


class NewWatch(Struct, frozen=True):
    """A watch: who is notified of what."""

    email: Email
    term: Term
    section: SectionNumber
    source: SourceName | None = None
    kinds: Kinds | None = None
    min_seats: MinSeats | None = None

    def request(self, default_source: str) -> WatchRequest:
        """Return the watch as the store takes it."""
        key = SectionKey(self.source or default_source, self.term, self.section)
        return WatchRequest(self.email, key, self.kinds, self.min_seats)


def wish_of(given: Mapping[str, object], sources: Collection[str], default_source: str) -> WatchRequest:
    """Return the watch that `given` describes. Raises: InvalidInputError naming each bad field."""
    return decode(NewWatch, given, {"source": sources}).request(default_source)
