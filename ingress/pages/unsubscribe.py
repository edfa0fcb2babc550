"""`/unsubscribe`: a page without side effects, and the one click that stops or allows mail.

Source: RFC 8058. Anyone with a token may use it, without sign-in and without expiry. Parameters that mail
programs add to the link are ignored: a link in a mail must work. Each state of a link has one page text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from starlette.responses import Response

from domain.errors import InvalidInputError, RejectedError
from domain.section_state import SectionState
from domain.text import one_line
from ingress.endpoint import PAGE, Routes
from ingress.pages.html import render_page
from ingress.problems import invalid
from ingress.request import NO_BODY, RequestContext
from notifications.unsubscribe_links import AllowEverything, AllowWatch, Claim, StopEverything, StopWatch
from operations.inputs import Text, text
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
    """One page; `facts` are labels and values, `offers` the buttons."""

    headline: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    offers: tuple[UnsubscribeOffer, ...] = ()
    is_done: bool = False


def ask_watch(stored: StoredWatch, this: str, everything: str) -> UnsubscribePage:
    """Before one watch is stopped."""
    return UnsubscribePage(
        "Stop this watch?",
        f"Rollcall sends mail to {stored.watch.email} when this section changes.",
        _facts(stored.section),
        (UnsubscribeOffer("Stop this watch", this, is_main=True), UnsubscribeOffer(_STOP_ALL, everything)),
    )


def watch_stopped(stored: StoredWatch, others: int, everything: str, undo: str) -> UnsubscribePage:
    """After one watch was stopped; `others` of the same person continue."""
    lead = f"Rollcall sends no more mail to {stored.watch.email} about this section."
    if others:
        lead += " Your other watches stay active."
    offers = _after_stop(others, everything, undo)
    return UnsubscribePage("This watch is stopped", lead, _facts(stored.section), offers, is_done=True)


def section_stopped(email: str, others: int, everything: str, undo: str) -> UnsubscribePage:
    """When mail about a section was stopped before."""
    lead = f"Rollcall sends no mail to {email} about this section, even for a new watch."
    offers = _after_stop(others, everything, undo)
    return UnsubscribePage("This watch has already ended", lead, (), offers, is_done=True)


def watch_ended(email: str, others: int, everything: str) -> UnsubscribePage:
    """When the watch no longer exists, for any reason."""
    lead = f"Rollcall sends no more mail to {email} about this section; there is nothing to stop."
    offers = (UnsubscribeOffer(_STOP_ALL, everything),) if others else ()
    return UnsubscribePage("This watch has already ended", lead, (), offers, is_done=True)


def ask_everything(email: str, watches: Sequence[StoredWatch], this: str) -> UnsubscribePage:
    """Before all mail is stopped."""
    if not watches:
        lead = f"{email} has no active watch. If you stop all mail, new watches send none either."
        return UnsubscribePage(
            "Stop all mail?", lead, offers=(UnsubscribeOffer(_STOP_ALL, this, is_main=True),)
        )
    listed = [_row(stored.section) for stored in watches[:_SHOWN_SECTIONS]]
    more = [("…", "and others")] if len(watches) > _SHOWN_SECTIONS else []
    return UnsubscribePage(
        "Stop all mail?",
        f"Rollcall sends mail to {email} when these sections change.",
        (*listed, *more),
        (UnsubscribeOffer(_STOP_ALL, this, is_main=True),),
    )


def everything_stopped(email: str, ended: int, undo: str) -> UnsubscribePage:
    """After all mail was stopped."""
    lead = f"Rollcall sends no more mail to {email}, even for a new watch."
    if ended:
        watches = "One watch has ended" if ended == 1 else f"{ended} watches have ended"
        lead = f"{watches}. {lead}"
    return UnsubscribePage(
        "All mail is stopped", lead, offers=(UnsubscribeOffer(_ALLOW_ALL, undo),), is_done=True
    )


def ask_to_allow(email: str, this: str) -> UnsubscribePage:
    """Before mail is allowed again."""
    lead = f"You have stopped mail to {email}. Rollcall sends mail again only if you allow it."
    return UnsubscribePage(
        "Allow mail again?", lead, offers=(UnsubscribeOffer("Allow mail again", this, is_main=True),)
    )


def allowed(email: str, restored: int) -> UnsubscribePage:
    """After mail was allowed again."""
    watches = {0: "No watch is active", 1: "One watch is active again"}
    active = watches.get(restored, f"{restored} watches are active again")
    return UnsubscribePage(
        "Mail is allowed again", f"Rollcall may send mail to {email}. {active}.", is_done=True
    )


def _after_stop(others: int, everything: str, undo: str) -> tuple[UnsubscribeOffer, ...]:
    again = UnsubscribeOffer("Resume this watch", undo)
    return (UnsubscribeOffer(_STOP_ALL, everything), again) if others else (again,)


REFUSAL = UnsubscribePage(
    "This link does not work",
    "It may be incomplete. Open it from the e-mail again, or copy all of it.",
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


_TEMPLATE = "unsubscribe.html.j2"
_FEW = 20


class LinkQuery(Struct, frozen=True):
    """The parameters of a link in a mail."""

    token: Text


routes = Routes()


@routes.get("/unsubscribe", PAGE, lenient_query=LinkQuery, problems=(HTTPStatus.BAD_REQUEST,))
def ask(request: RequestContext) -> Response:
    """Show what the link does, without doing it."""
    claim = _claim(request)
    match claim:
        case None:
            return _refusal(request)
        case StopEverything(email):
            return _page(_about_everything(request, email))
        case StopWatch(watch_id, email):
            return _page(_about_watch(request, watch_id, email))
        case AllowWatch() | AllowEverything():
            return _page(ask_to_allow(claim.email, _query(_link(request, claim))))


@routes.post(
    "/unsubscribe",
    PAGE,
    accepts=NO_BODY.of(Any),
    lenient_query=LinkQuery,
    problems=(HTTPStatus.BAD_REQUEST,),
)
def act(request: RequestContext) -> Response:
    """Stop or allow mail as the link says; repeating it changes nothing."""
    claim = _claim(request)
    now, opt_outs = request.services.clock.now(), request.services.store.opt_outs
    match claim:
        case None:
            return _refusal(request)
        case StopEverything(email):
            ended = opt_outs.stop_all(email, now)
            return _page(everything_stopped(email, ended, _allow_everything(request, email)))
        case StopWatch(watch_id, email):
            return _page(_stop_watch(request, watch_id, email))
        case AllowEverything(email):
            return _page(allowed(email, opt_outs.allow_all(email, now)))
        case AllowWatch(watch_id, email):
            return _page(_allow_watch(request, watch_id, email))


def _stop_watch(request: RequestContext, watch_id: int, email: str) -> UnsubscribePage:
    services, stored = request.services, _watch(request, watch_id, email)
    ended = services.store.opt_outs.stop_section(watch_id, email, services.clock.now())
    if stored is None or not ended:
        return _about_watch(request, watch_id, email)
    others = len(_active(request, email))
    undo = _query(request.context.links.allow_watch(watch_id, email))
    return watch_stopped(stored, others, _stop_everything(request, email), undo)


def _allow_watch(request: RequestContext, watch_id: int, email: str) -> UnsubscribePage:
    services = request.services
    restored = services.store.opt_outs.allow_section(watch_id, email, services.clock.now())
    if services.store.opt_outs.has_stopped_all(email):
        return everything_stopped(email, 0, _allow_everything(request, email))
    return allowed(email, restored)


def _about_everything(request: RequestContext, email: str) -> UnsubscribePage:
    if request.services.store.opt_outs.has_stopped_all(email):
        return everything_stopped(email, 0, _allow_everything(request, email))
    return ask_everything(email, _active(request, email), _stop_everything(request, email))


def _about_watch(request: RequestContext, watch_id: int, email: str) -> UnsubscribePage:
    stored, opt_outs = _watch(request, watch_id, email), request.services.store.opt_outs
    if opt_outs.has_stopped_all(email):
        return everything_stopped(email, 0, _allow_everything(request, email))
    everything, others = _stop_everything(request, email), len(_active(request, email))
    if opt_outs.has_stopped_section(watch_id, email):
        undo = _query(request.context.links.allow_watch(watch_id, email))
        return section_stopped(email, others, everything, undo)
    if stored is None:
        return watch_ended(email, others, everything)
    return ask_watch(stored, _query(request.context.links.stop_watch(watch_id, email)), everything)


def _claim(request: RequestContext) -> Claim | None:
    try:
        return request.context.links.read(text(_token(request.url.query)))
    except (RejectedError, InvalidInputError, ValueError):
        return None


def _token(raw: str) -> str | None:
    """Return the token, ignoring added parameters; None unless there is exactly one."""
    given = parse_qs(raw, keep_blank_values=True).get("token", [])
    return given[0] if len(given) == 1 else None


def _watch(request: RequestContext, watch_id: int, email: str) -> StoredWatch | None:
    """Return the active watch of the link. A recreated database reuses numbers for other people's watches."""
    stored = request.services.store.watches.get(watch_id)
    is_meant = stored is not None and stored.ended_at is None and stored.watch.email == email
    return stored if is_meant else None


def _active(request: RequestContext, email: str) -> list[StoredWatch]:
    return request.services.store.watches.page(email=email, section=None, after=None, limit=_FEW)[0]


def _stop_everything(request: RequestContext, email: str) -> str:
    return _query(request.context.links.stop_everything(email))


def _allow_everything(request: RequestContext, email: str) -> str:
    return _query(request.context.links.allow_everything(email))


def _link(request: RequestContext, claim: AllowWatch | AllowEverything) -> str:
    links = request.context.links
    if isinstance(claim, AllowEverything):
        return links.allow_everything(claim.email)
    return links.allow_watch(claim.watch_id, claim.email)


def _query(link: str) -> str:
    return f"?{urlsplit(link).query}"


def _page(page: UnsubscribePage, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return render_page(_TEMPLATE, status, page=page)


def _refusal(request: RequestContext) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return _page(REFUSAL, HTTPStatus.BAD_REQUEST)
    return invalid({"token": "must be one that Rollcall has signed"}, HTTPStatus.BAD_REQUEST)
