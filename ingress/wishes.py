"""Parses named values into a watch; JSON and CSV share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from domain.section import SectionKey
from domain.watch import MAX_SEATS, NotificationKind
from ingress.fields import address, integer, kinds, one_of, section, source, term
from ingress.forms import parse
from store.watch_import import WatchRequest


@dataclass(frozen=True, slots=True)
class WatchForm:
    """The fields of a watch."""

    email: Annotated[str, address]
    term: Annotated[str, term]
    section: Annotated[str, section]
    source: Annotated[str | None, source] = None
    kinds: Annotated[tuple[NotificationKind, ...] | None, kinds] = None
    min_seats: Annotated[int | None, integer(1, MAX_SEATS)] = None


def wish_of(given: Mapping[str, object], sources: Iterable[str], default_source: str) -> WatchRequest:
    """Return the watch that `given` describes. Raises: InvalidInputError naming each bad field."""
    form = parse(WatchForm, given, source=one_of(sources))
    key = SectionKey(form.source or default_source, form.term, form.section)
    return WatchRequest(form.email, key, form.kinds, form.min_seats)
