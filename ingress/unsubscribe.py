"""`/unsubscribe`: a page that changes nothing, and the one click that stops mail or allows it again.

Source: RFC 8058. Whoever holds a token may use it, without logging in and for ever. Parameters that mail
programs add to the link are ignored: a link in a mail must work.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from domain.errors import InvalidInputError, RejectedError
from ingress import bodies, farewells
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.farewells import UnsubscribePage
from ingress.fields import text
from ingress.forms import unread
from ingress.manual import HTML, EndpointDoc, ResponseDoc
from ingress.problems import invalid
from ingress.screens import render_page
from notifications.unsubscribe_links import AllowEverything, AllowWatch, Claim, StopEverything, StopWatch
from store.watches import StoredWatch

_TEMPLATE = "unsubscribe.html.j2"
_FEW = 20


@dataclass(frozen=True, slots=True)
class LinkForm:
    """What a link in a mail carries."""

    token: Annotated[str, text]


_MANUAL = EndpointDoc(
    {HTTPStatus.OK: ResponseDoc("A page for people.", {"type": "string"}, HTML)},
    problems=(HTTPStatus.BAD_REQUEST,),
)


@endpoint(unread(LinkForm), _MANUAL)
def ask(call: RequestContext[bytes]) -> Response:
    """A page that says what its button would do."""
    claim = _claim(call)
    match claim:
        case None:
            return _refusal(call)
        case StopEverything(email):
            return _page(_about_everything(call, email))
        case StopWatch(watch_id, email):
            return _page(_about_watch(call, watch_id, email))
        case AllowWatch() | AllowEverything():
            return _page(farewells.ask_to_allow(claim.email, _query(_link(call, claim))))


@endpoint(unread(LinkForm), _MANUAL, body=bodies.NOTHING.of({}))
def act(call: RequestContext[bytes]) -> Response:
    """Stop it, or allow it again, and say what was done; once more changes nothing more."""
    claim = _claim(call)
    now, opt_outs = call.surfaces.services.clock.now(), call.surfaces.services.store.opt_outs
    match claim:
        case None:
            return _refusal(call)
        case StopEverything(email):
            ended = opt_outs.stop_all(email, now)
            return _page(farewells.everything_stopped(email, ended, _allow_everything(call, email)))
        case StopWatch(watch_id, email):
            return _page(_stop_watch(call, watch_id, email))
        case AllowEverything(email):
            return _page(farewells.allowed(email, opt_outs.allow_all(email, now)))
        case AllowWatch(watch_id, email):
            return _page(_allow_watch(call, watch_id, email))


def _stop_watch(call: RequestContext[bytes], watch_id: int, email: str) -> UnsubscribePage:
    services, stored = call.surfaces.services, _watch(call, watch_id, email)
    ended = services.store.opt_outs.stop_section(watch_id, email, services.clock.now())
    if stored is None or not ended:
        return _about_watch(call, watch_id, email)
    others = len(_living(call, email))
    undo = _query(call.surfaces.links.allow_watch(watch_id, email))
    return farewells.watch_stopped(stored, others, _stop_everything(call, email), undo)


def _allow_watch(call: RequestContext[bytes], watch_id: int, email: str) -> UnsubscribePage:
    services = call.surfaces.services
    restored = services.store.opt_outs.allow_section(watch_id, email, services.clock.now())
    if services.store.opt_outs.has_stopped_all(email):
        return farewells.everything_stopped(email, 0, _allow_everything(call, email))
    return farewells.allowed(email, restored)


def _about_everything(call: RequestContext[bytes], email: str) -> UnsubscribePage:
    if call.surfaces.services.store.opt_outs.has_stopped_all(email):
        return farewells.everything_stopped(email, 0, _allow_everything(call, email))
    return farewells.ask_everything(email, _living(call, email), _stop_everything(call, email))


def _about_watch(call: RequestContext[bytes], watch_id: int, email: str) -> UnsubscribePage:
    stored, opt_outs = _watch(call, watch_id, email), call.surfaces.services.store.opt_outs
    if opt_outs.has_stopped_all(email):
        return farewells.everything_stopped(email, 0, _allow_everything(call, email))
    everything, others = _stop_everything(call, email), len(_living(call, email))
    if opt_outs.has_stopped_section(watch_id, email):
        undo = _query(call.surfaces.links.allow_watch(watch_id, email))
        return farewells.section_stopped(email, others, everything, undo)
    if stored is None:
        return farewells.watch_gone(email, others, everything)
    return farewells.ask_watch(stored, _query(call.surfaces.links.stop_watch(watch_id, email)), everything)


def _claim(call: RequestContext[bytes]) -> Claim | None:
    try:
        return call.surfaces.links.read(text(_token(call.query)))
    except (RejectedError, InvalidInputError, ValueError):
        return None


def _token(raw: bytes) -> str | None:
    """The token of a link to which mail programs have added what they like; None unless there is one."""
    given = parse_qs(raw.decode("latin-1"), keep_blank_values=True).get("token", [])
    return given[0] if len(given) == 1 else None


def _watch(call: RequestContext[bytes], watch_id: int, email: str) -> StoredWatch | None:
    """The active watch that is meant. A database that began anew has other people's under old numbers."""
    stored = call.surfaces.services.store.watches.get(watch_id)
    is_meant = stored is not None and stored.ended_at is None and stored.watch.email == email
    return stored if is_meant else None


def _living(call: RequestContext[bytes], email: str) -> list[StoredWatch]:
    return call.surfaces.services.store.watches.page(email=email, section=None, after=None, limit=_FEW)[0]


def _stop_everything(call: RequestContext[bytes], email: str) -> str:
    return _query(call.surfaces.links.stop_everything(email))


def _allow_everything(call: RequestContext[bytes], email: str) -> str:
    return _query(call.surfaces.links.allow_everything(email))


def _link(call: RequestContext[bytes], claim: AllowWatch | AllowEverything) -> str:
    links = call.surfaces.links
    if isinstance(claim, AllowEverything):
        return links.allow_everything(claim.email)
    return links.allow_watch(claim.watch_id, claim.email)


def _query(link: str) -> str:
    return f"?{urlsplit(link).query}"


def _page(farewell: UnsubscribePage, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return render_page(_TEMPLATE, status, page=farewell)


def _refusal(call: RequestContext[bytes]) -> Response:
    if "text/html" in call.headers.get("accept", ""):
        return _page(farewells.REFUSAL, HTTPStatus.BAD_REQUEST)
    return invalid({"token": "must be one that Rollcall has signed"}, HTTPStatus.BAD_REQUEST)


ROUTES = (readable("/unsubscribe", ask, POST=act),)
