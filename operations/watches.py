"""Pause, resume and end one watch, and how its section is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

from msgspec import Struct

from actors.services import Services
from domain.errors import InvalidInputError
from domain.observation import Details
from domain.section import SectionKey
from domain.section_state import SectionState
from domain.text import duration, format_time
from operations.context import AdminContext, Surface
from operations.inputs import DurationText, PositiveId
from operations.operation import Command, Operation, OperationResult, Option, Plan, PlanField
from store.audit import AuditEntry
from store.watches import StoredWatch

_PAGE = 500
T = TypeVar("T")
PAUSE_LENGTHS = {"1d": "1 day", "7d": "7 days", "30d": "30 days", "180d": "180 days"}
NOT_SENT = "Changes during the pause are never sent; the next change after it is."
_ENDED = {Surface.API: "ended by the API"}
_ENDED_BY_OPERATOR = "stopped by the operator"
PauseLength = Annotated[DurationText, Option("How long: 90s, 15m, 2h or 3d.", "--for", is_required=True)]


class WatchInput(Struct, frozen=True):
    """The watch."""

    watch_id: PositiveId


class WatchPauseInput(WatchInput, frozen=True):
    """The watch, and the length of the pause."""

    length: PauseLength = "7d"


def _plan_pause(context: AdminContext, given: WatchPauseInput) -> Plan:
    stored = _active(context, given)
    silence = f"{stored.watch.email} gets no mail about {stored.watch.key} until then."
    question = PlanField("length", "For", given.length, tuple(PAUSE_LENGTHS.items()))
    return Plan(f"Pause watch {given.watch_id}?", "Pause", (silence, NOT_SENT), (question,))


def _pause(context: AdminContext, given: WatchPauseInput, entry: AuditEntry) -> OperationResult[StoredWatch]:
    until, watches = entry.at + duration(given.length), context.services.store.watches
    _require(given, is_active=watches.pause(given.watch_id, until, entry))
    message = f"Paused watch {given.watch_id} until {format_time(until)}."
    return OperationResult(message, _stored(context, given))


def _plan_resume(context: AdminContext, given: WatchInput) -> Plan:
    stored, title = _active(context, given), f"Resume watch {given.watch_id}?"
    if not stored.is_paused(context.services.clock.now()):
        return Plan.nothing(title, "It is not paused.")
    return Plan(title, "Resume", ("The next change is sent to it.",))


def _resume(context: AdminContext, given: WatchInput, entry: AuditEntry) -> OperationResult[StoredWatch]:
    _require(given, is_active=context.services.store.watches.pause(given.watch_id, None, entry))
    return OperationResult(f"Resumed watch {given.watch_id}.", _stored(context, given))


def _plan_end(context: AdminContext, given: WatchInput) -> Plan:
    stored = _active(context, given)
    effect = f"{stored.watch.email} gets no more mail about {stored.watch.key}; its history stays."
    return Plan(f"Delete watch {given.watch_id}?", "Delete", (effect,), is_irreversible=True)


def _end(context: AdminContext, given: WatchInput, entry: AuditEntry) -> OperationResult[None]:
    watches = context.services.store.watches
    _require(given, is_active=watches.end(given.watch_id, end_reason(context), entry.at, entry))
    return OperationResult(f"Ended watch {given.watch_id}.", None)


def end_reason(context: AdminContext) -> str:
    """Return the reason that ended watches show."""
    return _ENDED.get(context.surface, _ENDED_BY_OPERATOR)


def _active(context: AdminContext, given: WatchInput) -> StoredWatch:
    stored = context.services.store.watches.get(given.watch_id)
    is_active = stored is not None and stored.ended_at is None
    _require(given, is_active=is_active)
    assert stored is not None  # noqa: S101 - for the type checker
    return stored


def _stored(context: AdminContext, given: WatchInput) -> StoredWatch:
    stored = context.services.store.watches.get(given.watch_id)
    assert stored is not None, "watches stay, also when they have ended"  # noqa: S101
    return stored


def _require(given: WatchInput, *, is_active: bool) -> None:
    if not is_active:
        raise InvalidInputError({"watch_id": f"no active watch has the number {given.watch_id}"})


def active(
    services: Services, *, email: str | None = None, section: str | None = None
) -> Iterator[StoredWatch]:
    """Return the active watches in order of creation, page by page."""
    read = partial(services.store.watches.page, email=email, section=section, limit=_PAGE)
    return every_page(lambda after: read(after=after))


def every_page(read: Callable[[int | None], tuple[list[T], int | None]]) -> Iterator[T]:
    """Return the rows of every page; `read` takes a cursor and returns a page and the next one."""
    after: int | None = None
    while True:
        page, after = read(after)
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


def next_check_at(admin: AdminContext, key: SectionKey) -> datetime | None:
    """Return when the half that contains `key`, or the poll of its term, is next due.

    None without one, and where the check schedule chooses the sections.
    """
    services, now = admin.services, admin.services.clock.now()
    if not admin.is_scheduled:
        return None
    if key.source in services.catalogs:
        due_at = services.store.polls.due_times([key.source]).get((key.source, key.term))
        return None if due_at is None else max(due_at, now)
    if services.is_budgeted:
        return None
    timetable, half = services.timetable, key.stagger
    at = timetable.next_slot(now)
    while timetable.slot(half, at) != at:
        at = timetable.next_slot(at)
    return at


_one: Callable[[Any], str] = lambda given: f"watch/{given.watch_id}"  # noqa: E731 - a subject
PAUSE = Operation(
    "watch.pause",
    f"Send nothing for the watch WATCH_ID for a while. {NOT_SENT}",
    WatchPauseInput,
    _one,
    _plan_pause,
    _pause,
    detail=lambda given: {"seconds": duration(given.length).total_seconds()},
)
RESUME = Operation(
    "watch.resume", "Send changes to the watch WATCH_ID again.", WatchInput, _one, _plan_resume, _resume
)
END = Operation(
    "watch.end",
    "End the watch WATCH_ID; its history stays.",
    WatchInput,
    _one,
    _plan_end,
    _end,
    commands=(Command("watch rm"),),
)
