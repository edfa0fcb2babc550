"""What the unsubscribe pages say: one wording for every state in which a link is followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.changes import SectionState
from domain.words import plain
from store.watches import StoredWatch

_STOP_ALL = "Stop all mail from Rollcall"
_SHOWN_SECTIONS = 6


@dataclass(frozen=True, slots=True)
class Offer:
    """A button: its label, and the query of the link that it posts to."""

    label: str
    query: str
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class Farewell:
    """One page; `facts` are labels and values, `offers` the buttons beside each other."""

    headline: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    offers: tuple[Offer, ...] = ()
    is_done: bool = False


def ask_watch(stored: StoredWatch, this: str, everything: str) -> Farewell:
    """Before one watch is stopped."""
    return Farewell(
        "Stop this watch?",
        f"Rollcall writes to {stored.watch.email} when something changes in this section.",
        _facts(stored.section),
        (Offer("Stop this watch", this, is_main=True), Offer(_STOP_ALL, everything)),
    )


def watch_stopped(stored: StoredWatch, others: int, everything: str) -> Farewell:
    """Once one watch was stopped; `others` of the same person go on."""
    lead = f"Rollcall will not write to {stored.watch.email} about this section any more."
    if others:
        lead += " Your other watches go on."
    offers = (Offer(_STOP_ALL, everything),) if others else ()
    return Farewell("This watch is stopped", lead, _facts(stored.section), offers, is_done=True)


def watch_gone(email: str, others: int, everything: str) -> Farewell:
    """When there is no such watch any more, for whatever reason."""
    lead = f"Rollcall does not write to {email} about that section any more; there is nothing to stop."
    offers = (Offer(_STOP_ALL, everything),) if others else ()
    return Farewell("This watch has already ended", lead, (), offers, is_done=True)


def ask_everything(email: str, watches: Sequence[StoredWatch], this: str) -> Farewell:
    """Before everything is stopped."""
    if not watches:
        return everything_stopped(email, 0)
    listed = [_row(stored.section) for stored in watches[:_SHOWN_SECTIONS]]
    more = [("…", "and others")] if len(watches) > _SHOWN_SECTIONS else []
    return Farewell(
        "Stop all mail?",
        f"Rollcall writes to {email} when something changes in these sections.",
        (*listed, *more),
        (Offer(_STOP_ALL, this, is_main=True),),
    )


def everything_stopped(email: str, ended: int) -> Farewell:
    """Once everything was stopped."""
    if ended == 0:
        return Farewell("All mail is stopped", f"Rollcall watches nothing for {email}.", is_done=True)
    watches = "One watch has ended" if ended == 1 else f"{ended} watches have ended"
    return Farewell(
        "All mail is stopped", f"{watches}. Rollcall will not write to {email} any more.", is_done=True
    )


REFUSAL = Farewell(
    "This link does not work",
    "It may have been cut short on its way. Open it once more from the mail itself, or copy all of it.",
)


def _facts(section: SectionState) -> tuple[tuple[str, str], ...]:
    details = section.details
    rows = (
        ("Course", plain(details.course)),
        ("Title", plain(details.title)),
        ("Section", section.key.number),
        ("Term", section.key.term),
    )
    return tuple(row for row in rows if row[1])


def _row(section: SectionState) -> tuple[str, str]:
    course, term = plain(section.details.course), f"term {section.key.term}"
    return section.key.number, f"{course}, {term}" if course else term.capitalize()
