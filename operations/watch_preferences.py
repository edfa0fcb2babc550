"""What a new watch asks for, and whether its catalog states it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from actors.services import Services
from domain.catalog import Capabilities
from domain.errors import InvalidInputError
from domain.watch import CourseWatch, NotificationKind, Watch
from operations.inputs import Kinds, MaxWaitlist, MinSeats
from operations.operation import Option


class Preferences(Struct, frozen=True, kw_only=True):
    """The kinds and conditions of a watch; None keeps those of an active one, or uses the default."""

    kinds: Annotated[Kinds | None, Option("Repeatable; the usual ones by default.", "--kind")] = None
    min_seats: Annotated[MinSeats | None, Option("How many seats must be open; 1 by default.")] = None
    unreserved_only: Annotated[bool | None, Option("Only seats that no group has reserved.")] = None
    max_waitlist: Annotated[MaxWaitlist | None, Option("How many people may wait at most.")] = None


def states_waitlist(services: Services, source: str) -> bool:
    """Return whether `source` is a catalog that states waitlists."""
    found = _capabilities(services, source)
    return found is not None and found.waitlist


def require_stated(services: Services, source: str, given: Preferences) -> None:
    """Refuse what would never be sent.

    Raises: InvalidInputError that names the fields which need what the polled catalog `source` never states.
    What a scraper states is not known beforehand.
    """
    stated, problems = _capabilities(services, source), dict[str, str]()
    if stated is None:
        return
    if given.unreserved_only and not stated.reserved:
        problems["unreserved_only"] = f"{source} does not state which seats are reserved"
    if not stated.waitlist:
        if given.max_waitlist is not None:
            problems["max_waitlist"] = f"{source} does not state waitlists"
        if NotificationKind.WAITLIST_AVAILABLE in (given.kinds or ()):
            problems["kinds"] = f"{source} does not state waitlists, which waitlist_available needs"
    if problems:
        raise InvalidInputError(problems)


def _capabilities(services: Services, source: str) -> Capabilities | None:
    active = services.catalogs.get(source)
    return None if active is None else active.catalog.capabilities


def described(watch: Watch | CourseWatch) -> str:
    """Return the conditions of a watch beside its kinds, such as "2 seats or more"; empty without any."""
    conditions = []
    if watch.min_seats > 1:
        conditions.append(f"{watch.min_seats} seats or more")
    if watch.unreserved_only:
        conditions.append("unreserved seats only")
    if watch.max_waitlist is not None:
        conditions.append(f"waitlist of at most {watch.max_waitlist}")
    return ", ".join(conditions)
