"""Adding, pausing, ending and exporting watches."""

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
    """The watch and True when it is new; the living one, brought up to date, and False.

    Raises: InvalidInputError when mail to the address is suppressed.
    """
    told = entry(services, by, "watch.add", "watch", email=wish.email, section=str(wish.key))
    return services.store.watches.add(wish, services.clock.now(), told)


def add_all(services: Services, wishes: Iterable[WatchRequest], by: str) -> list[bool | InvalidInputError]:
    """As `add`, for a whole sheet in one transaction; for each whether it is new, or why it was refused."""
    told = entry(services, by, "watch.import", "watches")
    return services.store.watches.add_all(wishes, services.clock.now(), told)


def end(services: Services, watch_id: int, by: str) -> None:
    """End one watch. Raises: InvalidInputError when no such watch is living."""
    told = entry(services, by, "watch.end", f"watch/{watch_id}")
    _require(services.store.watches.end(watch_id, _ENDED, services.clock.now(), told), watch_id)


def pause(services: Services, watch_id: int, length: timedelta, by: str) -> StoredWatch:
    """Let no letter leave for one watch for `length`; it misses what happens meanwhile, for good.

    Raises: InvalidInputError when no such watch is living.
    """
    until = services.clock.now() + length
    told = entry(services, by, "watch.pause", f"watch/{watch_id}", seconds=length.total_seconds())
    _require(services.store.watches.pause(watch_id, until, told), watch_id)
    return _stored(services, watch_id)


def resume(services: Services, watch_id: int, by: str) -> StoredWatch:
    """Let letters leave for it again: of what comes from now on. Raises: as `pause`."""
    told = entry(services, by, "watch.resume", f"watch/{watch_id}")
    _require(services.store.watches.pause(watch_id, None, told), watch_id)
    return _stored(services, watch_id)


def pause_all(services: Services, wanted: WatchFilter, length: timedelta, by: str) -> int:
    """As `pause`, for every watch that is meant, in one transaction; how many."""
    until = services.clock.now() + length
    said = wanted.said | {"seconds": length.total_seconds()}
    return services.store.watches.pause_all(
        wanted, until, entry(services, by, "watch.pause", "watches", **said)
    )


def resume_all(services: Services, wanted: WatchFilter, by: str) -> int:
    """As `resume`, for every watch that is meant, in one transaction; how many."""
    told = entry(services, by, "watch.resume", "watches", **wanted.said)
    return services.store.watches.pause_all(wanted, None, told)


def end_all(services: Services, wanted: WatchFilter, by: str) -> int:
    """As `end`, for every watch that is meant, in one transaction; how many."""
    told = entry(services, by, "watch.end", "watches", **wanted.said)
    return services.store.watches.end_all(wanted, _ENDED, services.clock.now(), told)


def active(
    services: Services, *, email: str | None = None, section: str | None = None
) -> Iterator[StoredWatch]:
    """The living watches in the order they were made, page by page."""
    after: int | None = None
    while True:
        page, after = services.store.watches.page(email=email, section=section, after=after, limit=_PAGE)
        yield from page
        if after is None:
            return


def seen_at(state: SectionState) -> datetime | None:
    """When its source last spoke of a section, or None while all it ever said is that it has no such section.

    A miss moves `observed_at`, which orders what comes in, but shows nothing.
    """
    said = (state.open_seats, state.capacity, state.instructor)
    is_seen = any(value is not None for value in said) or state.details != Details()
    return state.observed_at if is_seen else None


class Listing(StrEnum):
    """What a catalog last said of a section."""

    LISTED = "listed"
    NOT_LISTED = "not listed"  # any more: it is looked for once a day
    UNKNOWN = "unknown section"  # it was never listed
    UNCHECKED = "not checked yet"


def listing(state: SectionState) -> Listing:
    """How a section is listed. One that is missed now and then stays listed until it is retired."""
    if seen_at(state) is None:
        return Listing.UNKNOWN if state.misses or state.retired else Listing.UNCHECKED
    return Listing.NOT_LISTED if state.retired else Listing.LISTED


def status(stored: StoredWatch, now: datetime) -> str:
    """How an active watch stands, in one or two words."""
    found = listing(stored.section)
    if found in {Listing.UNKNOWN, Listing.NOT_LISTED}:
        return found.value
    return "paused" if stored.is_paused(now) else "active"


def next_check_at(room: AdminContext, key: SectionKey) -> datetime | None:
    """When the half of the sections to which `key` belongs is next due; None where nobody times that."""
    if not room.is_scheduled:
        return None
    timetable, half = room.services.timetable, Stagger.EVEN if key.is_even else Stagger.ODD
    at = timetable.next_slot(room.services.clock.now())
    while timetable.slot(half, at) != at:
        at = timetable.next_slot(at)
    return at


def export(services: Services) -> Iterator[str]:
    """The living watches as a sheet that the import takes, line by line, the header first."""
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


def _require(is_living: bool, watch_id: int) -> None:  # noqa: FBT001 - what the store has just said
    if not is_living:
        raise InvalidInputError({"watch_id": f"no living watch has the number {watch_id}"})


def _stored(services: Services, watch_id: int) -> StoredWatch:
    stored = services.store.watches.get(watch_id)
    assert stored is not None, "watches stay, also when they have ended"  # noqa: S101
    return stored
