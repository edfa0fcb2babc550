"""The answers of CourseLeaf's class search (FOSE): their shapes, and the observations they mean. Pure.

Source: the recorded details of Emory; public clients for the searches of Boulder, Brown, Emory and New York
University, and for the details of Boulder, Brown, Vermont and Oregon State.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from html import unescape
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, field

from catalogs.answers import decode as decode_json
from catalogs.answers import distinct, section_key
from catalogs.fose_pages import SeatCounts, places, read_enrollment, read_seats
from domain.availability import SeatFacts, observation
from domain.catalog import (
    MaintenanceError,
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SessionExpiredError,
    SignInRequiredError,
    WrongTermError,
)
from domain.errors import RollcallError, UpstreamError
from domain.observation import Details, Observation, SectionStatus
from domain.section import SectionKey
from domain.text import clock_time, printable, quote

E = TypeVar("E", bound="Envelope")

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR: Final = re.compile(r"([01]?[0-9]|2[0-3])[0-5][0-9]")
_STATUSES: Final = {
    "A": SectionStatus.OPEN,
    "W": SectionStatus.WAITLIST,
    "F": SectionStatus.CLOSED,
    "C": SectionStatus.CANCELLED,
    "X": SectionStatus.CANCELLED,
}
_STRICTER: Final = list(SectionStatus)
"""From open to cancelled: of two statuses of one section, the later one counts."""
_FALSE: Final = frozenset({"", "0", "n", "no", "false"})
_FATALS: Final[tuple[tuple[re.Pattern[str], type[RollcallError]], ...]] = (
    (
        re.compile(r"open database|srcdb", re.IGNORECASE),
        WrongTermError,
    ),  # seen: "Cannot open database: fose-…"
    (re.compile(r"maintenance|unavailable|offline", re.IGNORECASE), MaintenanceError),
    (re.compile(r"session|cookie|expired", re.IGNORECASE), SessionExpiredError),
    (re.compile(r"log.?in|sign.?in|authenti", re.IGNORECASE), SignInRequiredError),
    (re.compile(r"\b(route|page)\b", re.IGNORECASE), RouteGoneError),
)


class Row(Struct):
    """A section as searches and groups list it; `enrl_stat` is PeopleSoft's status, where there is one."""

    crn: str
    code: str
    stat: str
    title: str | None = None
    meets: str | None = None
    meeting_times: str | None = field(name="meetingTimes", default=None)
    instr: str | None = None
    is_cancelled: str | int | bool | None = field(name="isCancelled", default=None)
    enrl_stat: str | None = None
    srcdb: str | None = None


class Envelope(Struct):
    """What every answer may have: `fatal` instead of all else, with status 200."""

    fatal: str | None = None
    srcdb: str | None = None


class SearchAnswer(Envelope):
    """The answer of route=search: all rows that match, `count` is how many."""

    results: list[Row] | None = None
    count: int | None = None

    def rows(self) -> list[Row]:
        """The rows. Raises: SchemaError if there is no list of them."""
        if self.results is None:
            raise SchemaError("FOSE's answer has no field results")
        return self.results


class DetailsAnswer(Envelope):
    """The answer of route=details about one section; `all_in_group` are the sections of its course."""

    crn: str | None = None
    code: str | None = None
    stat: str | None = None
    title: str | None = None
    seats: str | None = None
    meeting_html: str | None = None
    max_enroll: str | int | None = None
    enrollment: str | int | None = None
    waitlist_capacity: str | int | None = None
    ssbsect_wait_count: str | int | None = None
    all_in_group: list[Row] | None = field(name="allInGroup", default=None)


class Meeting(Struct):
    """One weekly meeting: Monday is day 0, 900 is 9:00 AM."""

    meet_day: str | int
    start_time: str | int
    end_time: str | int


def decode(body: bytes, shape: type[E], term: str) -> E:
    """`body` as `shape`, about `term`.

    Raises: SchemaError that names the field, WrongTermError, or the error that the text of `fatal` means.
    """
    found = decode_json(body, shape, "FOSE")
    if found.fatal is not None:
        raise _fatal(found.fatal)
    _check_term(found.srcdb, term)
    return found


def _fatal(text: str) -> RollcallError:
    kind = next((kind for pattern, kind in _FATALS if pattern.search(text)), UpstreamError)
    return kind(f"FOSE answered: {quote(text)}")


def _check_term(stated: str | None, term: str) -> None:
    if stated and stated != term:
        raise WrongTermError(f"FOSE answered about the term {quote(stated)}, not {term}")


def observations(rows: Iterable[Row], source: str, term: str, at: datetime) -> list[Observation]:
    """The sections of `rows`, without counts.

    Raises: PartialAnswerError if one repeats; WrongTermError; SchemaError.
    """
    found = [_observation(row, SeatFacts(status=_status(row)), source, term, at) for row in rows]
    return distinct(found, "FOSE's answer repeats a crn")


def details_observation(answer: DetailsAnswer, key: SectionKey, at: datetime) -> Observation:
    """The section `key` with its counts; its other facts are those of its row, so that the two do not differ.

    The other sections of the group are not returned: without counts they would replace what theirs state.
    Raises: PartialAnswerError if the answer is about another section; SchemaError.
    """
    if answer.crn != key.number:
        raise PartialAnswerError(f"FOSE answered about the crn {quote(str(answer.crn))}, not {key.number}")
    rows = _own_rows(answer, key.number)
    counts = _counts(answer)
    facts = SeatFacts(
        own=counts.own,
        capacity=counts.capacity,
        status=max(map(_status, rows), key=_STRICTER.index),
        waitlist_places=counts.waitlist_places,
        waitlist_length=counts.waitlist_length,
    )
    return _observation(rows[0], facts, key.source, key.term, at, location=places(answer.meeting_html))


def _own_rows(answer: DetailsAnswer, number: str) -> list[Row]:
    """The section as the group lists it, and with the status beside it: they may differ."""
    rows = [row for row in answer.all_in_group or [] if row.crn == number]
    if answer.stat is not None:
        listed = rows[0] if rows else Row(number, answer.code or "", answer.stat, answer.title)
        rows.append(msgspec.structs.replace(listed, stat=answer.stat))
    if not rows:
        raise SchemaError("FOSE's details have no field stat")
    return rows


def _counts(answer: DetailsAnswer) -> SeatCounts:
    if answer.seats is not None:
        return read_seats(answer.seats)
    if answer.max_enroll is not None and answer.enrollment is not None:
        return read_enrollment(
            answer.max_enroll, answer.enrollment, answer.waitlist_capacity, answer.ssbsect_wait_count
        )
    raise SchemaError("FOSE's details have no field seats")


def _status(row: Row) -> SectionStatus:
    """Raises: SchemaError for a letter that is not known."""
    if str(row.is_cancelled or "").strip().casefold() not in _FALSE:
        return SectionStatus.CANCELLED
    status = _STATUSES.get(row.stat)
    if status is None:
        raise SchemaError(f"FOSE's field stat is unknown: {quote(row.stat)!r}")
    if row.enrl_stat == "C" and row.stat != "X":  # PeopleSoft: C is closed
        return SectionStatus.CLOSED
    if row.enrl_stat == "W" and status is SectionStatus.OPEN:
        return SectionStatus.WAITLIST
    return status


def _observation(
    row: Row, facts: SeatFacts, source: str, term: str, at: datetime, *, location: str = ""
) -> Observation:
    _check_term(row.srcdb, term)
    return observation(
        section_key(source, term, row.crn, "FOSE's field crn"),
        at,
        facts,
        taught_by=None if row.instr is None else _text(row.instr),
        details=Details(_text(row.code), _text(row.title or ""), location, _times(row)),
    )


@lru_cache(maxsize=4096)  # courses, titles and names repeat from row to row and from poll to poll
def _text(text: str) -> str:
    return printable(unescape(text))


def _times(row: Row) -> str:
    return _weekly(row.meeting_times or "") or _text(row.meets or "")


@lru_cache(maxsize=4096)
def _weekly(text: str) -> str:
    """The meetings in `text`; empty if they cannot be read, the row displays them in `meets` too."""
    try:
        meetings = msgspec.json.decode(text, type=list[Meeting])
    except (msgspec.MsgspecError, RecursionError):
        return ""
    days: dict[str, list[str]] = {}
    for meeting in meetings:
        day, hours = str(meeting.meet_day), [str(meeting.start_time), str(meeting.end_time)]
        if day not in "0123456" or len(day) != 1 or not all(map(_HOUR.fullmatch, hours)):
            return ""
        displayed = " - ".join(clock_time(hour.zfill(4)) for hour in hours)
        days.setdefault(displayed, []).append(_DAYS[int(day)])
    return "; ".join(f"{'/'.join(names)} {hours}" for hours, names in days.items())
