"""Add, pause, end and export watches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from actors.services import Services
from domain.errors import InvalidInputError
from domain.observation import Details
from domain.section import SectionKey, Stagger
from domain.section_state import SectionState
from operations.operation import AdminContext, entry
from store.watch_import import WatchRequest
from store.watches import StoredWatch, WatchFilter

COLUMNS = ("email", "source", "term", "section", "kinds", "min_seats")
"""The columns of a sheet of watches; kinds are parted by |."""

_PAGE = 500
_ENDED = "stopped by the operator"


def add(services: Services, wish: WatchRequest, by: str) -> tuple[StoredWatch, bool]:
    """Return a new watch and True, or the updated active watch and False.

    Raises: InvalidInputError when the address is suppressed.
    """
    told = entry(services, by, "watch.add", "watch", email=wish.email, section=str(wish.key))
    return services.store.watches.add(wish, services.clock.now(), told)


def add_all(services: Services, wishes: Iterable[WatchRequest], by: str) -> list[bool | InvalidInputError]:
    """As `add`, for a whole file in one transaction; return each outcome: new, updated or refused."""
    told = entry(services, by, "watch.import", "watches")
    return services.store.watches.add_all(wishes, services.clock.now(), told)


def end(services: Services, watch_id: int, by: str) -> None:
    """End one watch. Raises: InvalidInputError for a watch that is not active."""
    told = entry(services, by, "watch.end", f"watch/{watch_id}")
    _require(services.store.watches.end(watch_id, _ENDED, services.clock.now(), told), watch_id)


def pause(services: Services, watch_id: int, length: timedelta, by: str) -> StoredWatch:
    """Pause one watch for `length`. Changes during the pause are never sent.

    Raises: InvalidInputError for a watch that is not active.
    """
    until = services.clock.now() + length
    told = entry(services, by, "watch.pause", f"watch/{watch_id}", seconds=length.total_seconds())
    _require(services.store.watches.pause(watch_id, until, told), watch_id)
    return _stored(services, watch_id)


def resume(services: Services, watch_id: int, by: str) -> StoredWatch:
    """Resume the watch: later changes are sent. Raises: as `pause`."""
    told = entry(services, by, "watch.resume", f"watch/{watch_id}")
    _require(services.store.watches.pause(watch_id, None, told), watch_id)
    return _stored(services, watch_id)


def pause_all(services: Services, wanted: WatchFilter, length: timedelta, by: str) -> int:
    """As `pause`, for every selected watch, in one transaction; return the count."""
    until = services.clock.now() + length
    said = wanted.criteria | {"seconds": length.total_seconds()}
    return services.store.watches.pause_all(
        wanted, until, entry(services, by, "watch.pause", "watches", **said)
    )


def resume_all(services: Services, wanted: WatchFilter, by: str) -> int:
    """As `resume`, for every selected watch, in one transaction; return the count."""
    told = entry(services, by, "watch.resume", "watches", **wanted.criteria)
    return services.store.watches.pause_all(wanted, None, told)


def end_all(services: Services, wanted: WatchFilter, by: str) -> int:
    """As `end`, for every selected watch, in one transaction; return the count."""
    told = entry(services, by, "watch.end", "watches", **wanted.criteria)
    return services.store.watches.end_all(wanted, _ENDED, services.clock.now(), told)


def active(
    services: Services, *, email: str | None = None, section: str | None = None
) -> Iterator[StoredWatch]:
    """Return the active watches in order of creation, page by page."""
    after: int | None = None
    while True:
        page, after = services.store.watches.page(email=email, section=section, after=after, limit=_PAGE)
        yield from page
        if after is None:
            return


def seen_at(state: SectionState) -> datetime | None:
    """Return when the source last listed a section, or None if it never did.

    A miss updates `observed_at`, which orders observations, but shows nothing.
    """
    said = (state.open_seats, state.capacity, state.instructor)
    is_seen = any(value is not None for value in said) or state.details != Details()
    return state.observed_at if is_seen else None


class Listing(StrEnum):
    """How a catalog last listed a section."""

    LISTED = "listed"
    NOT_LISTED = "not listed"  # no longer listed: checked once a day
    UNKNOWN = "unknown section"  # never listed
    UNCHECKED = "not checked yet"


def listing(state: SectionState) -> Listing:
    """Return how a section is listed. A section with occasional misses stays listed until it is retired."""
    if seen_at(state) is None:
        return Listing.UNKNOWN if state.misses or state.retired else Listing.UNCHECKED
    return Listing.NOT_LISTED if state.retired else Listing.LISTED


def status(stored: StoredWatch, now: datetime) -> str:
    """Return the status of an active watch, in one or two words."""
    found = listing(stored.section)
    if found in {Listing.UNKNOWN, Listing.NOT_LISTED}:
        return found.value
    return "paused" if stored.is_paused(now) else "active"


def next_check_at(room: AdminContext, key: SectionKey) -> datetime | None:
    """Return when the half that contains `key` is next due; None without a schedule."""
    if not room.is_scheduled:
        return None
    timetable, half = room.services.timetable, Stagger.EVEN if key.is_even else Stagger.ODD
    at = timetable.next_slot(room.services.clock.now())
    while timetable.slot(half, at) != at:
        at = timetable.next_slot(at)
    return at


def export(services: Services) -> Iterator[str]:
    """Return the active watches as CSV lines that the import accepts, the header first."""
    yield _line(COLUMNS)
    for stored in active(services):
        watch = stored.watch
        key = watch.key
        cells = [watch.email, key.source, key.term, key.number, "|".join(watch.kinds), str(watch.min_seats)]
        yield _line(cells)


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _require(is_active: bool, watch_id: int) -> None:  # noqa: FBT001 - what the store has just said
    if not is_active:
        raise InvalidInputError({"watch_id": f"no living watch has the number {watch_id}"})


def _stored(services: Services, watch_id: int) -> StoredWatch:
    stored = services.store.watches.get(watch_id)
    assert stored is not None, "watches stay, also when they have ended"  # noqa: S101
    return stored
