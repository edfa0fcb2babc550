"""Judges the answers of a polled catalog by the history of its term. Pure.

A family refuses what it cannot read: changed keys, unknown statuses, another term, rows that do not add up.
This module refuses what can be read and is not credible. Two bad polls in a row freeze the term, and two good
ones end that. A poll that would announce implausibly many openings is held at once.

The tripwire. A poll may open `_FEW_OPENINGS` sections, or `_OPENING_SHARE` of the rows that it has read, or
`_SURGE` times as many as the term's own rate of openings gives for the time since the last complete poll; the
largest counts. Until a week of polls is known, the rate is at least that of a recorded season.
Source: the largest surges of `ucsd-summer1-2022` open 17 of 100 sections between two polls, 26 in four hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from domain.catalog import CatalogFault
from domain.catalog_poll import GuardState, TermPoll
from domain.observation import Observation, SectionStatus
from domain.text import format_duration, number, plural

BAD_POLLS: Final = 2
"""After so many bad polls in a row a term is frozen."""
GOOD_POLLS: Final = 2
"""After so many good polls in a row a guard that Rollcall set ends."""
DRIFT: Final = frozenset(
    {
        CatalogFault.SCHEMA,
        CatalogFault.WRONG_TERM,
        CatalogFault.PARTIAL,
        CatalogFault.DOUBTFUL,
        CatalogFault.TERM_GONE,
    }
)
"""The faults of answers that cannot be trusted; any other means that there was no answer."""
WITHHELD: Final = frozenset({GuardState.FROZEN, GuardState.HELD})
"""While a guard is in one of these states, answers are judged, and neither recorded nor announced."""
DECIDED: Final = frozenset({GuardState.RELEASED, GuardState.DISCARDED})
"""The operator has decided: history does not judge the next poll."""

_FEW_OPENINGS: Final = 40
_OPENING_SHARE: Final = 0.25
_SURGE: Final = 20
_USUAL_RATE: Final = 0.005  # openings per section and hour, the mean of the recorded season
_RATE_HOURS: Final = 168.0
_ROWS_DROP: Final = 0.5
_KNOWN_SCOPES: Final = 20
_MANY: Final = 20  # fewer rows say little about a catalog
_SHARE_JUMP: Final = 0.3
_LOST_COUNTS: Final = 0.5
_STAMP_MOVES: Final = 3
_STAMP_FACTOR: Final = 4
_STAMP_AGE: Final = timedelta(hours=36)  # several catalogs renew their data once a night


@dataclass(frozen=True, slots=True)
class PollHistory:
    """What the good polls of a term have shown; None if it is unknown.

    Shape: `opening_rate` is per section and hour, `hours` the time that it covers. `seatless` is the share of
    the last whole term's rows with the status "open" and no seat. `stamp_seconds` is the usual time between
    two changes of the data's stamp, of which there were `stamp_moves`. `scopes` has the rows of each
    part of the term that was read on its own.
    """

    opening_rate: float = 0.0
    hours: float = 0.0
    seatless: float | None = None
    stamp_seconds: float | None = None
    stamp_moves: int = 0
    scopes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """The history in a row; what other releases have stored besides is ignored."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (stored or {}).items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        """The history as JSON."""
        return asdict(self)


@dataclass(slots=True)
class PollEvidence:
    """What the answers of one poll have shown so far.

    Shape: `openings` is the number of sections that had no seat when they were last recorded, and have one.
    `as_of` is the newest stamp of their data.
    """

    rows: int = 0
    seatless: int = 0
    openings: int = 0
    as_of: datetime | None = None

    def add(self, seen: Sequence[Observation], openings: int, as_of: datetime | None) -> None:
        """Add the rows of one answer, which open so many sections."""
        self.rows += len(seen)
        self.seatless += sum(row.status is SectionStatus.OPEN and row.open_seats == 0 for row in seen)
        self.openings += openings
        self.as_of = max(filter(None, (self.as_of, as_of)), default=None)


def doubt_about_rows(poll: TermPoll, listed: int, known: int | None, what: str = "") -> str | None:
    """Why so many sections are not credible where so many were `known`, None if they are.

    Shape: `what` they belong to; the whole term if it is empty.
    """
    if poll.guard in DECIDED or known is None or known < _MANY or listed >= _ROWS_DROP * known:
        return None
    return f"{what or poll.term} has {plural(listed, 'section')}, and had {number(known)}"


def doubt_about_counts(poll: TermPoll, rows: int, uncounted: int) -> str | None:
    """Why an answer is not credible of whose rows so many have lost their count of seats, None if it is."""
    if poll.guard in DECIDED or uncounted < _MANY or uncounted <= _LOST_COUNTS * rows:
        return None
    return f"{number(uncounted)} of {plural(rows, 'section')} no longer state a count of seats"


def doubt_about_openings(
    poll: TermPoll, history: PollHistory, evidence: PollEvidence, now: datetime
) -> str | None:
    """Why the openings of a poll are not credible so far, None if they are."""
    most = most_openings(history, evidence.rows, _hours_since(poll.completed_at, now))
    if poll.guard in DECIDED or evidence.openings <= most:
        return None
    opened = plural(evidence.openings, "section")
    return f"{opened} of {number(evidence.rows)} would open at once; at most {number(most)} are plausible"


def doubt_about_poll(
    poll: TermPoll, history: PollHistory, evidence: PollEvidence, listed: int | None, now: datetime
) -> str | None:
    """Why a poll whose answers were valid is not credible, None if it is.

    Shape: `listed` is the number of sections if the poll has read the whole term, else None: other polls read
    other mixtures, so that their shares are not compared.
    """
    if poll.guard in DECIDED:
        return None
    if listed is not None:
        doubt = doubt_about_rows(poll, listed, poll.known_rows) or _doubt_about_seats(history, evidence)
        if doubt is not None:
            return doubt
    return _doubt_about_stamp(history, evidence.as_of, now)


def most_openings(history: PollHistory, rows: int, hours: float) -> int:
    """The most sections of `rows` that plausibly open in `hours`."""
    rate = max(history.opening_rate, _USUAL_RATE if history.hours < _RATE_HOURS else 0.0)
    return int(max(_FEW_OPENINGS, _OPENING_SHARE * rows, _SURGE * rate * rows * hours))


def learned(
    poll: TermPoll,
    history: PollHistory,
    evidence: PollEvidence,
    now: datetime,
    scopes: Mapping[str, int] | None = None,
) -> PollHistory:
    """The history after a good poll, which has read parts of the term with so many rows, or all of it."""
    hours = _hours_since(poll.completed_at, now)
    if poll.completed_at is not None and evidence.rows and hours:
        weight = hours / (min(history.hours, _RATE_HOURS) + hours)
        rate = evidence.openings / (evidence.rows * hours)
        rate = history.opening_rate + weight * (rate - history.opening_rate)
        history = replace(history, opening_rate=rate, hours=min(history.hours + hours, 2 * _RATE_HOURS))
    if scopes is not None:
        kept = {name: rows for name, rows in history.scopes.items() if name not in scopes} | dict(scopes)
        history = replace(history, scopes=dict(list(kept.items())[-_KNOWN_SCOPES:]))
    elif evidence.rows:
        history = replace(history, seatless=evidence.seatless / evidence.rows)
    if poll.as_of is not None and evidence.as_of is not None and evidence.as_of > poll.as_of:
        seconds = (evidence.as_of - poll.as_of).total_seconds()
        usual = seconds if history.stamp_seconds is None else (3 * history.stamp_seconds + seconds) / 4
        history = replace(history, stamp_seconds=usual, stamp_moves=history.stamp_moves + 1)
    return history


def guard_after(poll: TermPoll, fault: CatalogFault | None, *, is_held: bool = False) -> GuardState:
    """The guard of a term after a poll with `fault` that began with the state `poll`.

    Shape: `is_held` if its openings are not plausible.
    """
    if is_held:
        return GuardState.HELD
    if poll.guard in WITHHELD:
        return GuardState.CLEAR if fault is None and poll.good_polls + 1 >= GOOD_POLLS else poll.guard
    if poll.guard in DECIDED:
        return GuardState.CLEAR if fault is None else poll.guard
    is_second = fault in DRIFT and poll.fault in DRIFT and poll.failures + 1 >= BAD_POLLS
    is_bad = is_second or fault is CatalogFault.TERM_GONE
    return GuardState.FROZEN if is_bad else GuardState.CLEAR


def _doubt_about_seats(history: PollHistory, evidence: PollEvidence) -> str | None:
    if history.seatless is None or evidence.rows < _MANY:
        return None
    share = evidence.seatless / evidence.rows
    if share - history.seatless <= _SHARE_JUMP:
        return None
    return f'{share:.0%} of the sections are "open" without a seat; it was {history.seatless:.0%}'


def _doubt_about_stamp(history: PollHistory, as_of: datetime | None, now: datetime) -> str | None:
    if as_of is None or history.stamp_seconds is None or history.stamp_moves < _STAMP_MOVES:
        return None
    usual, age = timedelta(seconds=history.stamp_seconds), now - as_of
    if age <= max(_STAMP_AGE, _STAMP_FACTOR * usual):
        return None
    return f"its data is {format_duration(age)} old; it is renewed every {format_duration(usual)}"


def _hours_since(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at) / timedelta(hours=1))
