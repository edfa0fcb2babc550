"""What keeps news from going out at this moment, in words; empty where nothing does."""

from __future__ import annotations

from collections.abc import Iterator

from actors.deliver import MAIL
from actors.services import Services
from domain.section_state import Doubt, SectionState
from operations.watches import seen_at
from store.watches import StoredWatch

_DOUBTED = {
    Doubt.CAPACITY: "It lost its capacity",
    Doubt.FULL: "It became full",
    Doubt.OPEN: "It opened",
    Doubt.UNASSIGNED: "It lost its instructor",
}


def of_section(services: Services, state: SectionState, watchers: int) -> Iterator[str]:
    """Why a section might not be looked at."""
    if state.retired:
        yield "The catalog no longer lists it: it is looked for once a day."
    elif not watchers:
        yield "Nobody watches it: it is not checked."
    else:
        if seen_at(state) is None:
            yield "It was never seen: its first sighting will be a baseline, and mails nobody."
        for doubt in state.doubts:
            yield f"{_DOUBTED[doubt]} with many others of its term at once: further checks must confirm it."
        if state.misses:
            last = "time" if state.misses == 1 else f"{state.misses} times"
            yield f"The catalog did not have it the last {last}."
    yield from _held(services, state.key.source, "It is not checked")


def of_watch(services: Services, stored: StoredWatch) -> Iterator[str]:
    """Why a watch might not be told anything."""
    if stored.ended_at is not None:
        yield f"The watch has ended: {stored.ended_reason}."
        return
    if stored.paused_until is not None and stored.is_paused(services.clock.now()):
        yield f"The watch is paused until {stored.paused_until:%Y-%m-%d %H:%M} UTC."
    seats, wanted = stored.section.open_seats, stored.watch.min_seats
    if seats is not None and seats >= wanted:
        are_open = "1 seat is" if seats == 1 else f"{seats} seats are"
        yield f"{are_open} open already: the next opening is news again."
    yield from of_address(services, stored.watch.email)


def of_address(services: Services, email: str) -> Iterator[str]:
    """Why no letter might leave to an address."""
    reason = services.store.deliveries.suppression(email)
    if reason is not None:
        yield f"Mail to {email} is suppressed: {reason}."
    yield from _held(services, MAIL, "No mail leaves")


def _held(services: Services, name: str, consequence: str) -> Iterator[str]:
    pause = services.store.pauses.paused(name, services.clock.now())
    if pause is not None:
        yield f"{consequence}: {name} is paused until {pause.until:%Y-%m-%d %H:%M} UTC ({pause.reason})."
    breaker = services.breakers.get(name)
    snapshot = None if breaker is None else breaker.snapshot()
    if snapshot is not None and snapshot.state != "closed":
        last = "" if snapshot.last_error is None else f" The last error: {snapshot.last_error}."
        yield f"{consequence}: the breaker of {name} is {snapshot.state.replace('_', ' ')}.{last}"
