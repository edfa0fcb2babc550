"""What the unsubscribe pages say: one wording for every state in which a link is followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.section_state import SectionState
from domain.text import one_line
from store.watches import StoredWatch

_STOP_ALL = "Stop all mail from Rollcall"
_ALLOW_ALL = "Allow mail again"
_SHOWN_SECTIONS = 6


@dataclass(frozen=True, slots=True)
class UnsubscribeOffer:
    """A button: its label, and the query of the link that it posts to."""

    label: str
    query: str
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class UnsubscribePage:
    """One page; `facts` are labels and values, `offers` the buttons beside each other."""

    headline: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    offers: tuple[UnsubscribeOffer, ...] = ()
    is_done: bool = False


def ask_watch(stored: StoredWatch, this: str, everything: str) -> UnsubscribePage:
    """Before one watch is stopped."""
    return UnsubscribePage(
        "Stop this watch?",
        f"Rollcall writes to {stored.watch.email} when something changes in this section.",
        _facts(stored.section),
        (UnsubscribeOffer("Stop this watch", this, is_main=True), UnsubscribeOffer(_STOP_ALL, everything)),
    )


def watch_stopped(stored: StoredWatch, others: int, everything: str, undo: str) -> UnsubscribePage:
    """Once one watch was stopped; `others` of the same person go on."""
    lead = f"Rollcall will not write to {stored.watch.email} about this section any more."
    if others:
        lead += " Your other watches go on."
    offers = _after_stop(others, everything, undo)
    return UnsubscribePage("This watch is stopped", lead, _facts(stored.section), offers, is_done=True)


def section_stopped(email: str, others: int, everything: str, undo: str) -> UnsubscribePage:
    """When mail about a section was stopped before."""
    lead = f"Rollcall does not write to {email} about that section, and no new watch changes that."
    offers = _after_stop(others, everything, undo)
    return UnsubscribePage("This watch has already ended", lead, (), offers, is_done=True)


def watch_gone(email: str, others: int, everything: str) -> UnsubscribePage:
    """When there is no such watch any more, for whatever reason."""
    lead = f"Rollcall does not write to {email} about that section any more; there is nothing to stop."
    offers = (UnsubscribeOffer(_STOP_ALL, everything),) if others else ()
    return UnsubscribePage("This watch has already ended", lead, (), offers, is_done=True)


def ask_everything(email: str, watches: Sequence[StoredWatch], this: str) -> UnsubscribePage:
    """Before everything is stopped."""
    if not watches:
        lead = (
            f"Rollcall watches nothing for {email} at present. Stop all mail, and no new watch writes to it."
        )
        return UnsubscribePage(
            "Stop all mail?", lead, offers=(UnsubscribeOffer(_STOP_ALL, this, is_main=True),)
        )
    listed = [_row(stored.section) for stored in watches[:_SHOWN_SECTIONS]]
    more = [("…", "and others")] if len(watches) > _SHOWN_SECTIONS else []
    return UnsubscribePage(
        "Stop all mail?",
        f"Rollcall writes to {email} when something changes in these sections.",
        (*listed, *more),
        (UnsubscribeOffer(_STOP_ALL, this, is_main=True),),
    )


def everything_stopped(email: str, ended: int, undo: str) -> UnsubscribePage:
    """Once everything was stopped."""
    lead = f"Rollcall will not write to {email} any more, and no new watch changes that."
    if ended:
        watches = "One watch has ended" if ended == 1 else f"{ended} watches have ended"
        lead = f"{watches}. {lead}"
    return UnsubscribePage(
        "All mail is stopped", lead, offers=(UnsubscribeOffer(_ALLOW_ALL, undo),), is_done=True
    )


def ask_to_allow(email: str, this: str) -> UnsubscribePage:
    """Before mail is allowed again."""
    lead = f"You have stopped mail to {email}. Rollcall writes to you again only if you allow it."
    return UnsubscribePage(
        "Allow mail again?", lead, offers=(UnsubscribeOffer("Allow it again", this, is_main=True),)
    )


def allowed(email: str, restored: int) -> UnsubscribePage:
    """Once mail is allowed again."""
    watches = {0: "No watch is active", 1: "One watch is active again"}
    active = watches.get(restored, f"{restored} watches are active again")
    return UnsubscribePage("Mail is allowed again", f"Rollcall may write to {email}. {active}.", is_done=True)


def _after_stop(others: int, everything: str, undo: str) -> tuple[UnsubscribeOffer, ...]:
    again = UnsubscribeOffer("Watch it again", undo)
    return (UnsubscribeOffer(_STOP_ALL, everything), again) if others else (again,)


REFUSAL = UnsubscribePage(
    "This link does not work",
    "It may have been cut short on its way. Open it once more from the mail itself, or copy all of it.",
)


def _facts(section: SectionState) -> tuple[tuple[str, str], ...]:
    details = section.details
    rows = (
        ("Course", one_line(details.course)),
        ("Title", one_line(details.title)),
        ("Section", section.key.number),
        ("Term", section.key.term),
    )
    return tuple(row for row in rows if row[1])


def _row(section: SectionState) -> tuple[str, str]:
    course, term = one_line(section.details.course), f"term {section.key.term}"
    return section.key.number, f"{course}, {term}" if course else term.capitalize()
