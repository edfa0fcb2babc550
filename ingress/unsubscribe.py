"""`/unsubscribe`: a page that changes nothing, and the one click that stops mail.

Source: RFC 8058. Whoever holds a token may use it, without logging in and for ever. Parameters that mail
programs add to the link are ignored: a link in a mail must work.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from starlette.responses import Response

from domain.errors import InvalidInputError, RejectedError
from ingress import bodies, farewells
from ingress.endpoint import Call, endpoint, readable
from ingress.farewells import Farewell
from ingress.fields import text
from ingress.forms import unread
from ingress.manual import HTML, Answer, Manual
from ingress.problems import invalid
from ingress.screens import screen
from ingress.syntax import parameters
from mail.links import StopEverything, StopWatch
from store.watches import StoredWatch

_REASON = "unsubscribed"
_TEMPLATE = "unsubscribe.html.j2"
_FEW = 20


@dataclass(frozen=True, slots=True)
class LinkForm:
    """What a link in a mail carries."""

    token: Annotated[str, text]


_MANUAL = Manual(
    {HTTPStatus.OK: Answer("A page for people.", {"type": "string"}, HTML)},
    problems=(HTTPStatus.BAD_REQUEST,),
)


@endpoint(unread(LinkForm), _MANUAL)
def ask(call: Call[bytes]) -> Response:
    """A page that says what its button would stop."""
    claim = _claim(call)
    if claim is None:
        return _refusal(call)
    everything = _query(call.surfaces.links.stop_everything(claim.email))
    if isinstance(claim, StopEverything):
        return _page(farewells.ask_everything(claim.email, _living(call, claim.email), everything))
    stored = _watch(call, claim)
    if stored is None:
        return _page(farewells.watch_gone(claim.email, len(_living(call, claim.email)), everything))
    this = _query(call.surfaces.links.stop_watch(claim.watch_id, claim.email))
    return _page(farewells.ask_watch(stored, this, everything))


@endpoint(unread(LinkForm), _MANUAL, body=bodies.ANYTHING.of({}))
def stop(call: Call[bytes]) -> Response:
    """Stop it, and say what was stopped; once more changes nothing more."""
    claim = _claim(call)
    if claim is None:
        return _refusal(call)
    watches, now = call.surfaces.services.store.watches, call.surfaces.services.clock.now()
    if isinstance(claim, StopEverything):
        return _page(farewells.everything_stopped(claim.email, watches.end_all(claim.email, _REASON, now)))
    stored = _watch(call, claim)
    is_ended = stored is not None and watches.end(stored.id, _REASON, now)
    others = len(_living(call, claim.email))
    everything = _query(call.surfaces.links.stop_everything(claim.email))
    if stored is None or not is_ended:
        return _page(farewells.watch_gone(claim.email, others, everything))
    return _page(farewells.watch_stopped(stored, others, everything))


def _claim(call: Call[bytes]) -> StopWatch | StopEverything | None:
    try:
        return call.surfaces.links.read(text(parameters(call.query).get("token")))
    except (RejectedError, InvalidInputError, ValueError):
        return None


def _watch(call: Call[bytes], claim: StopWatch) -> StoredWatch | None:
    """The living watch that is meant. A database that began anew has other people's under old numbers."""
    stored = call.surfaces.services.store.watches.get(claim.watch_id)
    is_meant = stored is not None and stored.ended_at is None and stored.watch.email == claim.email
    return stored if is_meant else None


def _living(call: Call[bytes], email: str) -> list[StoredWatch]:
    return call.surfaces.services.store.watches.page(email=email, section=None, after=None, limit=_FEW)[0]


def _query(link: str) -> str:
    return f"?{urlsplit(link).query}"


def _page(farewell: Farewell, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return screen(_TEMPLATE, status, page=farewell)


def _refusal(call: Call[bytes]) -> Response:
    if "text/html" in call.headers.get("accept", ""):
        return _page(farewells.REFUSAL, HTTPStatus.BAD_REQUEST)
    return invalid({"token": "must be one that Rollcall has signed"}, HTTPStatus.BAD_REQUEST)


ROUTES = (readable("/unsubscribe", ask, POST=stop),)
