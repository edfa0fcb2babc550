"""The one availability rule: what a catalog states about the seats of a section, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.observation import Details, Observation, SectionStatus, instructor, seats
from domain.section import SectionKey


@dataclass(frozen=True, slots=True)
class SeatFacts:
    """What a catalog states; None if it does not state it, which is not zero.

    Shape: `own` are the section's open seats, `pool` those that it shares with cross-listed sections,
    `unreserved` those that no group has reserved. `waitlist_places` are free places on the waitlist,
    `waitlist_length` is how many people wait. Counts may be negative (overbooked).
    """

    own: int | None = None
    pool: int | None = None
    unreserved: int | None = None
    capacity: int | None = None
    status: SectionStatus | None = None
    waitlist_places: int | None = None
    waitlist_length: int | None = None


@dataclass(frozen=True, slots=True)
class Availability:
    """Seats that a person can take, and free places on the waitlist; None if unknown.

    Shape: where the catalog states no counts, `open_seats` is 1 or 0 and `is_counted` is False.
    """

    open_seats: int | None
    waitlist_places: int | None
    is_counted: bool = True


def availability(facts: SeatFacts) -> Availability:
    """The availability that `facts` mean.

    A seat is open only if the status permits it and every known count is positive; the status alone decides
    where there are no counts. A section with the status WAITLIST has no open seat: its seats go to the queue.
    """
    counts = _known(facts.own, facts.pool, facts.unreserved)
    is_counted = bool(counts)
    open_seats = seats(min(counts)) if counts else None
    if facts.status in _FULL:
        open_seats = 0
    elif open_seats is None and facts.status is SectionStatus.OPEN:
        open_seats = 1
    return Availability(open_seats, _waitlist_places(facts), is_counted or facts.status is None)


def observation(
    key: SectionKey,
    observed_at: datetime,
    facts: SeatFacts,
    *,
    taught_by: str | None = None,
    details: Details = Details(),
    as_of: datetime | None = None,
) -> Observation:
    """The observation that a catalog's `facts` mean. Every batch catalog builds its observations here.

    Shape: `taught_by` is the instructor as written, several separated by "; "; None if not stated. `as_of`
    is the time of the catalog's data, if it states one.
    """
    found = availability(facts)
    return Observation(
        key=key,
        observed_at=observed_at,
        open_seats=found.open_seats,
        capacity=seats(facts.capacity),
        instructor=instructor(taught_by),
        details=details,
        unreserved_seats=seats(facts.unreserved),
        status=facts.status,
        is_counted=found.is_counted,
        waitlist_places=found.waitlist_places,
        waitlist_length=seats(facts.waitlist_length),
        as_of=as_of,
    )


_FULL = frozenset({SectionStatus.WAITLIST, SectionStatus.CLOSED, SectionStatus.CANCELLED})
_NO_WAITLIST = frozenset({SectionStatus.CLOSED, SectionStatus.CANCELLED})


def _known(*counts: int | None) -> list[int]:
    return [count for count in counts if count is not None]


def _waitlist_places(facts: SeatFacts) -> int | None:
    if facts.status in _NO_WAITLIST:
        return 0
    if facts.waitlist_places is not None:
        return seats(facts.waitlist_places)
    return 1 if facts.status is SectionStatus.WAITLIST else None


def join_instructors(names: Iterable[str]) -> str:
    """The names of several instructors as `observation` takes them."""
    return "; ".join(filter(None, (" ".join(name.split()) for name in names)))
