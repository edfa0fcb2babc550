"""The answers of ASU's class search: their shapes, and the observations they mean. Pure.

Source: public clients. A row is a `CLAS` record in `classes`, or the `_source` of a search engine's hit; its
numbers are text, and empty where they are unknown. Of two counts of the same seats, the lower one is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import unescape
from typing import Final, Literal

import msgspec
from msgspec import Struct

from catalogs.answers import decode, distinct, joined, section_key
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import CatalogTerm, PartialAnswerError, SchemaError, WrongTermError
from domain.observation import Details, Observation, SectionStatus

_PLATFORM: Final = "ASU"
_STATUSES: Final = {
    "O": SectionStatus.OPEN,
    "W": SectionStatus.WAITLIST,
    "C": SectionStatus.CLOSED,
    "X": SectionStatus.CANCELLED,
}
_DAYS: Final = {
    "MON": "Mon",
    "TUES": "Tue",
    "WED": "Wed",
    "THURS": "Thu",
    "FRI": "Fri",
    "SAT": "Sat",
    "SUN": "Sun",
}
_TERM: Final = re.compile(r"2([0-9]{2})([147])")
_SEASONS: Final = {"1": "Spring", "4": "Summer", "7": "Fall"}


class Class(Struct, rename="upper"):
    """A class. It states its term only in `classes`."""

    classnbr: str | int
    subject: str
    catalognbr: str
    enrlcap: str | int
    enrltot: str | int
    strm: str | int | None = None
    enrlstat: Literal["O", "C", "W", "X"] | None = None
    waitcap: str | int | None = None
    waittot: str | int | None = None
    coursetitlelong: str | None = None
    title: str | None = None
    facilityid: str | None = None
    instructorslist: list[str | None] | None = None
    instructorsfirstnamelist: list[str | None] | None = None
    instructorslastnamelist: list[str | None] | None = None
    starttimes: list[str | None] | None = None
    endtimes: list[str | None] | None = None
    starttime: str | None = None
    endtime: str | None = None
    mon: str | None = None
    tues: str | None = None
    wed: str | None = None
    thurs: str | None = None
    fri: str | None = None
    sat: str | None = None
    sun: str | None = None


class SeatInfo(Struct):
    """The seats of a class, or those that a group has reserved."""

    cap: int | str | None = msgspec.field(default=None, name="ENRL_CAP")
    taken: int | str | None = msgspec.field(default=None, name="ENRL_TOT")

    @property
    def free(self) -> int | None:
        """The seats that are not taken; None if unknown."""
        return _difference(_integer(self.cap, "ENRL_CAP"), _integer(self.taken, "ENRL_TOT"))


class ClassItem(Struct):
    """A class with its seats as displayed. `reserved` is absent in some answers: unknown."""

    stated: Class = msgspec.field(name="CLAS")
    shown: SeatInfo | None = msgspec.field(default=None, name="seatInfo")
    reserved: list[SeatInfo] | None = msgspec.field(default=None, name="reservedSeatsInfo")


class Hit(Struct):
    """A class as a hit of the search engine."""

    source: Class = msgspec.field(name="_source")


class Total(Struct):
    """The number of rows of a search; it is a lower bound unless `relation` is "eq"."""

    value: int
    relation: str = "eq"


class Hits(Struct):
    """The rows of a search as hits."""

    hits: list[Hit]
    total: Total | None = None


class Found(Struct):
    """A page of a search, in either form. `scroll` asks for the next page."""

    classes: list[ClassItem] | None = None
    hits: Hits | None = None
    total: Total | None = None
    scroll: str | None = msgspec.field(default=None, name="scrollId")

    def items(self) -> list[ClassItem]:
        """The rows. Raises: SchemaError if the answer is in neither form."""
        if self.classes is not None:
            return self.classes
        if self.hits is not None:
            return [ClassItem(hit.source) for hit in self.hits.hits]
        raise SchemaError("ASU's answer has neither classes nor hits")

    @property
    def count(self) -> int | None:
        """The number of rows of the search; None if the answer does not state it exactly."""
        total = self.total or (self.hits.total if self.hits else None)
        return total.value if total and total.relation == "eq" else None


def found(body: bytes) -> Found:
    """The page in `body`. Raises: SchemaError."""
    return decode(body, Found, _PLATFORM)


def terms(body: bytes) -> list[CatalogTerm]:
    """The terms in the list of terms, newest first.

    No public source describes the shape of the list: every value in it that is a code is a term. A code says
    what it means: 2267 is the fall of 2026.
    Raises: PartialAnswerError if there are none; SchemaError.
    """
    codes = {code for code in _values(decode(body, object, _PLATFORM)) if _TERM.fullmatch(code)}
    if not codes:
        raise PartialAnswerError("ASU lists no terms")
    return [CatalogTerm(code, _label(code)) for code in sorted(codes, reverse=True)]


def observations(items: Sequence[ClassItem], source: str, term: str, at: datetime) -> list[Observation]:
    """The classes of a page. Raises: WrongTermError; PartialAnswerError for a repeated class; SchemaError."""
    for item in items:
        if item.stated.strm is not None and str(item.stated.strm) != term:
            raise WrongTermError(f"ASU's answer has a class of {str(item.stated.strm)[:16]!r}, not of {term}")
    return distinct([_observation(item, source, term, at) for item in items], "ASU's answer repeats a class")


def _values(tree: object) -> Iterator[str]:
    match tree:
        case dict():
            for value in tree.values():
                yield from _values(value)
        case list():
            for value in tree:
                yield from _values(value)
        case str() | int():
            yield str(tree)


def _label(code: str) -> str:
    return f"{_SEASONS[code[-1]]} 20{code[1:3]}"


def _observation(item: ClassItem, source: str, term: str, at: datetime) -> Observation:
    stated = item.stated
    return observation(
        section_key(source, term, str(stated.classnbr), "ASU's field CLASSNBR"),
        at,
        _facts(item),
        taught_by=_taught_by(stated),
        details=Details(
            course=_words(stated.subject, stated.catalognbr),
            title=_words(stated.coursetitlelong or stated.title),
            location=_words(stated.facilityid),
            meeting_times=_times(stated),
        ),
    )


def _facts(item: ClassItem) -> SeatFacts:
    stated = item.stated
    capacity = _integer(stated.enrlcap, "ENRLCAP")
    counts = (
        _difference(capacity, _integer(stated.enrltot, "ENRLTOT")),
        item.shown.free if item.shown else None,
    )
    own = min((count for count in counts if count is not None), default=None)
    reserved = _reserved(item.reserved)
    waiting = _integer(stated.waittot, "WAITTOT")
    return SeatFacts(
        own=own,
        unreserved=None if own is None or reserved is None else own - reserved,
        capacity=capacity,
        status=None if stated.enrlstat is None else _STATUSES[stated.enrlstat],
        waitlist_places=_difference(_integer(stated.waitcap, "WAITCAP"), waiting),
        waitlist_length=waiting,
    )


def _reserved(groups: Iterable[SeatInfo] | None) -> int | None:
    """The open seats that groups have reserved; None if one is unknown."""
    if groups is None:
        return None
    free = [group.free for group in groups]
    return None if None in free else sum(max(0, count or 0) for count in free)


def _difference(most: int | None, taken: int | None) -> int | None:
    return None if most is None or taken is None else most - taken


def _integer(stated: int | str | None, field: str) -> int | None:
    if stated is None or isinstance(stated, int):
        return stated
    if not stated.strip():
        return None
    if re.fullmatch(r"-?[0-9]{1,9}", stated.strip()) is None:
        raise SchemaError(f"ASU's field {field} is not a number: {stated[:40]!r}")
    return int(stated)


def _taught_by(stated: Class) -> str | None:
    """The instructors. The lists of names add the person's id: Kobayashi~ykobaya."""
    if stated.instructorslist is not None:
        return join_instructors(_words(name) for name in stated.instructorslist)
    lasts = stated.instructorslastnamelist
    if lasts is None:
        return None
    firsts = stated.instructorsfirstnamelist or [None] * len(lasts)
    pairs = zip(firsts, lasts, strict=False)
    return join_instructors(_words(_name(first), _name(last)) for first, last in pairs)


def _name(stated: str | None) -> str:
    return (stated or "").partition("~")[0]


def _times(stated: Class) -> str:
    """The days and the hours of each meeting; the catalog does not say which days a meeting has."""
    days = "/".join(name for field, name in _DAYS.items() if getattr(stated, field.lower()) == "Y")
    starts = stated.starttimes or [stated.starttime]
    ends = stated.endtimes or [stated.endtime]
    hours = joined(" - ".join(filter(None, pair)) for pair in zip(starts, ends, strict=False) if pair[0])
    return _words(days, hours)


def _words(*parts: str | None) -> str:
    return " ".join(unescape(" ".join(filter(None, parts))).split())
