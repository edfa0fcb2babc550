"""Add, pause and end watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.section_state import SectionState
from domain.text import duration
from domain.watch import MAX_SEATS, NotificationKind
from ingress import fields
from ingress.console.actions import Operation
from ingress.console.formatting import moment, plural
from ingress.console.plan import Plan, PlanField
from ingress.fields import address, digits, one_of
from operations import watches
from operations.first_look import first_look
from operations.operation import AdminContext
from operations.watches import Listing
from store.watch_import import WatchRequest
from store.watches import StoredWatch

_ALL = "all"
_UNSEEN = {
    Listing.UNKNOWN: "Unknown section: its source does not have it",
    Listing.UNCHECKED: "It was not looked at yet",
    Listing.LISTED: "Its source lists it",
}
LENGTHS = {"1d": "1 day", "7d": "7 days", "30d": "30 days", "180d": "180 days"}


@dataclass(frozen=True, slots=True)
class AddForm:
    """A new watch."""

    email: Annotated[str, address]
    source: Annotated[str, fields.source]
    term: Annotated[str, fields.term]
    section: Annotated[str, fields.section]
    kind: Annotated[str, one_of((_ALL, *NotificationKind))] = _ALL
    min_seats: Annotated[int, digits(1, MAX_SEATS)] = 1

    @property
    def wish(self) -> WatchRequest:
        """Return the form as a watch."""
        kinds = tuple(NotificationKind) if self.kind == _ALL else (NotificationKind(self.kind),)
        key = SectionKey(self.source, self.term, self.section)
        return WatchRequest(self.email, key, kinds, self.min_seats)


@dataclass(frozen=True, slots=True)
class WatchForm:
    """The watch."""

    id: Annotated[int, digits(1)]


@dataclass(frozen=True, slots=True)
class PauseForm:
    """The watch, and the length of the pause."""

    id: Annotated[int, digits(1)]
    length: Annotated[str, one_of(LENGTHS)] = "7d"


def _plan_add(room: AdminContext, form: AddForm) -> Plan:
    key = form.wish.key
    _require_source(room, key)
    state = room.services.store.sections.get(key) or SectionState(key)
    known = _known(room, state)
    if watches.seen_at(state) is None:
        known += " The first sighting is a baseline, and mails nobody."
    effects = (f"{form.email} is mailed when it has news.", known)
    return Plan(f"Watch {key}?", "Add the watch", effects)


def _add(room: AdminContext, form: AddForm, by: str) -> str:
    _require_source(room, form.wish.key)
    stored, created = watches.add(room.services, form.wish, by)
    done = "is added" if created else "was there, and is brought up to date"
    found = first_look(room.services, stored)
    return f"Watch {stored.id} {done}. {_known(room, stored.section, found)}"


def _known(room: AdminContext, state: SectionState, found: Listing | None = None) -> str:
    """Describe the section's state, or when it is checked; `found` is the result of a check just made."""
    seen_at, next_at = watches.seen_at(state), watches.next_check_at(room, state.key)
    if seen_at is not None and not state.misses:
        count = state.open_seats
        are_open = "Seats are unknown" if count is None else plural(count, "seat is open", "seats are open")
        return f"{are_open}, as of {moment(seen_at)} UTC."
    known = "Its source does not have it" if seen_at else _UNSEEN[found or watches.listing(state)]
    return f"{known}; the next check is at {moment(next_at)} UTC." if next_at else f"{known}."


def _plan_pause(room: AdminContext, form: PauseForm) -> Plan:
    stored = _active(room, form.id)
    effects = (
        f"{stored.watch.email} hears nothing of {stored.watch.key} until then.",
        "What opens meanwhile is not told later; the next opening after it is.",
    )
    question = PlanField("length", "For", form.length, tuple(LENGTHS.items()))
    return Plan(f"Pause watch {form.id}?", "Pause", effects, (question,))


def _pause(room: AdminContext, form: PauseForm, by: str) -> str:
    stored = watches.pause(room.services, form.id, duration(form.length), by)
    until = "" if stored.paused_until is None else f" until {moment(stored.paused_until)} UTC"
    return f"Watch {form.id} is paused{until}."


def _plan_resume(room: AdminContext, form: WatchForm) -> Plan:
    stored = _active(room, form.id)
    if not stored.is_paused(room.services.clock.now()):
        return Plan(f"Resume watch {form.id}?", "", ("It is not paused; there is nothing to do.",))
    return Plan(f"Resume watch {form.id}?", "Resume", ("The next opening is news to it again.",))


def _resume(room: AdminContext, form: WatchForm, by: str) -> str:
    watches.resume(room.services, form.id, by)
    return f"Watch {form.id} goes on."


def _plan_end(room: AdminContext, form: WatchForm) -> Plan:
    stored = _active(room, form.id)
    effects = (f"{stored.watch.email} hears nothing more of {stored.watch.key}; its history stays.",)
    return Plan(f"Delete watch {form.id}?", "Delete", effects, is_grave=True)


def _end(room: AdminContext, form: WatchForm, by: str) -> str:
    watches.end(room.services, form.id, by)
    return f"Watch {form.id} has ended."


def _active(room: AdminContext, watch_id: int) -> StoredWatch:
    stored = room.services.store.watches.get(watch_id)
    if stored is None or stored.ended_at is not None:
        raise InvalidInputError({"id": f"no living watch has the number {watch_id}"})
    return stored


def _require_source(room: AdminContext, key: SectionKey) -> None:
    if key.source not in room.services.sources:
        raise InvalidInputError({"source": f"must be one of {', '.join(room.services.sources)}"})


ACTIONS = (
    Operation("watch-add", AddForm, _plan_add, _add),
    Operation("watch-pause", PauseForm, _plan_pause, _pause),
    Operation("watch-resume", WatchForm, _plan_resume, _resume),
    Operation("watch-end", WatchForm, _plan_end, _end),
)
