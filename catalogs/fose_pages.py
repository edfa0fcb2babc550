"""The HTML of CourseLeaf's class search (FOSE): terms, rooms and counts. Pure.

Schools display counts differently. Seen: `<strong>Seats Avail</strong>: 0` (Boulder, Emory),
`<span class="seats_avail">0</span>` (Brown, Vermont), `Waitlist Total: 0 of 6, Auto-Enroll` (Emory), and
fields without HTML (Oregon State).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from json import JSONDecoder
from typing import Final

import msgspec
from msgspec import Struct

from domain.catalog import CatalogTerm, PartialAnswerError, SchemaError
from domain.text import printable, quote

_TAG: Final = re.compile(r"<[^>]*>")
_BREAK: Final = re.compile(r"<(?:br|/p|/div|/li)\b[^>]*>", re.IGNORECASE)
_COUNT: Final = re.compile(r"-?[0-9]{1,6}")
_WAITLIST: Final = re.compile(r"([0-9]{1,6})(?: of ([0-9]{1,6}))?(?:[ ,(].*)?")
_UNSTATED: Final = frozenset({"", "varies by section"})
_TERM_LIST: Final = re.compile(r"\bsrcDBs[\"']?\s*[:=]\s*(?=\[)")
_TERM_SELECT: Final = re.compile(
    r"<select\b[^>]*\bid=[\"']?crit-srcdb\b.*?</select>", re.IGNORECASE | re.DOTALL
)
_TERM_OPTION: Final = re.compile(
    r"<option\b[^>]*?\bvalue=(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*))[^>]*>([^<]*)", re.IGNORECASE
)


class TermItem(Struct):
    """A term of the search page; `status` is "historical" once registration is over."""

    code: str
    name: str
    status: str = ""


def read_terms(page: str) -> list[CatalogTerm]:
    """The terms in the search page, without the entry for all terms (999999).

    Raises: SchemaError if the page has neither `srcDBs` nor a list `crit-srcdb`; PartialAnswerError if it
    lists no term.
    """
    items = _listed_terms(page)
    terms = [
        CatalogTerm(item.code, printable(unescape(item.name)), is_view_only=item.status == "historical")
        for item in items
        if item.code.strip("9")
    ]
    if not terms:
        raise PartialAnswerError("FOSE's search page lists no terms")
    return terms


def _listed_terms(page: str) -> list[TermItem]:
    if found := _TERM_LIST.search(page):
        try:
            items, _ = JSONDecoder().raw_decode(page, found.end())
            return msgspec.convert(items, list[TermItem])
        except (ValueError, RecursionError) as error:  # also of msgspec
            raise SchemaError(f"FOSE's list srcDBs cannot be read: {error}") from error
    if select := _TERM_SELECT.search(page):
        options = _TERM_OPTION.findall(select.group())
        return [TermItem(unescape(one or two or three), name) for one, two, three, name in options]
    raise SchemaError("FOSE's search page has neither srcDBs nor a list crit-srcdb")


def plain(html: str) -> str:
    """The text of `html` on one line."""
    return printable(unescape(_TAG.sub("", html)))


def places(html: str | None) -> str:
    """The rooms in `meeting_html`, such as "MW 10am in Hall 1"."""
    meetings: list[str] = re.findall(r"<div class=\"meet\">(.*?)</div>", html or "", re.DOTALL)
    rooms = (plain(meeting).partition(" in ")[2] for meeting in meetings)
    return "; ".join(dict.fromkeys(filter(None, rooms)))


@dataclass(frozen=True, slots=True)
class SeatCounts:
    """The counts of one section; None if not stated."""

    own: int | None = None
    capacity: int | None = None
    waitlist_places: int | None = None
    waitlist_length: int | None = None


def read_seats(html: str) -> SeatCounts:
    """The counts in the field `seats`; a blank one means no limit, or none stated.

    Raises: SchemaError if it does not state the open seats, or not as a number.
    """
    if not html.strip():
        return SeatCounts()
    available = _stated(html, "seats_avail", "seats avail")
    if not available:
        raise SchemaError(f"FOSE's field seats does not state open seats: {quote(plain(html))}")
    capacity = _least(_stated(html, "seats_max", "maximum enrollment"))
    return SeatCounts(*_bounded(_least(available), capacity), *_waitlist(html))


def read_enrollment(
    most: str | int, enrolled: str | int, places: str | int | None, waiting: str | int | None
) -> SeatCounts:
    """The counts of a school that states them in fields, which may be empty. Raises: SchemaError."""
    capacity, taken = _count(str(most), "max_enroll"), _count(str(enrolled), "enrollment")
    own = None if capacity is None or taken is None else capacity - taken
    limit = _count("" if places is None else str(places), "waitlist_capacity")
    length = _count("" if waiting is None else str(waiting), "ssbsect_wait_count")
    free = None if limit is None or length is None else limit - length
    return SeatCounts(*_bounded(own, capacity), free, length)


def _bounded(own: int | None, capacity: int | None) -> tuple[int | None, int | None]:
    """Open seats and capacity, both None for a section without limit.

    Below a capacity, a negative count is an overbooked section; without one, it is the enrollment.
    Raises: SchemaError if only the open seats are missing, which does not mean "without limit".
    """
    if capacity is None or capacity < 0:
        return (None if own is None or own < 0 else own), None
    if own is None:
        raise SchemaError(f"FOSE states a capacity of {capacity} without open seats")
    return own, capacity


def _stated(html: str, mark: str, label: str) -> list[str]:
    """The texts of the class `mark`; without one, those after `label`."""
    marked: list[str] = re.findall(rf"\bclass=[\"']?{mark}\b[^>]*>([^<]*)<", html, re.IGNORECASE)
    return [plain(text) for text in marked] or _labelled(html, label)


def _labelled(html: str, label: str) -> list[str]:
    """What follows `label` and a colon, up to the next slash or line break."""
    parts = _TAG.sub("", _BREAK.sub("/", html)).split("/")
    named = (printable(unescape(part)).partition(":") for part in parts)
    return [value.strip() for name, _, value in named if name.casefold().startswith(label)]


def _waitlist(html: str) -> tuple[int | None, int | None]:
    """Free places, and how many people wait."""
    stated = next(iter(_labelled(html, "waitlist total")), "")
    if not stated:
        return None, None
    found = _WAITLIST.fullmatch(stated)
    if found is None:
        raise SchemaError(f"FOSE's field seats has an unreadable waitlist: {quote(stated)!r}")
    length = int(found[1])
    return (int(found[2]) - length if found[2] else None), length


def _least(texts: list[str]) -> int | None:
    counts = [_count(text, "seats") for text in texts]
    return min((count for count in counts if count is not None), default=None)


def _count(text: str, name: str) -> int | None:
    """Raises: SchemaError for a text that is neither a number nor known to mean none."""
    stated = text.strip()
    if stated.casefold() in _UNSTATED:
        return None
    if not _COUNT.fullmatch(stated):
        raise SchemaError(f"FOSE's field {name} is not a number: {quote(stated)!r}")
    return int(stated)
