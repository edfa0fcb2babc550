"""`/console/sign-in` and `/console/sign-out`: exchange the API token, or a one-time link, for a session.

The command line creates the link. It is signed with the API token and stored in Redis, valid once and for ten
minutes. Opening it does not consume it, because link previews open links too; the button on its page does.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

import redis
from starlette.responses import RedirectResponse, Response

from ingress import bodies, clients
from ingress.auth import api_token, matches
from ingress.console import session
from ingress.console.formatting import plural
from ingress.console.guard import HOME, SIGN_IN, safe_redirect_path
from ingress.console.layout import page
from ingress.console.session import seal, unseal
from ingress.context import WebContext
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable, writable
from ingress.fields import text
from ingress.forms import Nothing, no_query, parse, query
from ingress.syntax import parameters
from operations.operation import record
from resilience.login_protection import OneTimeTokens

_TEMPLATE = "sign_in.html"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page to open after sign-in."""

    next: Annotated[str, text] = HOME


@dataclass(frozen=True, slots=True)
class SignInForm:
    """The fields of the form; `username` is for password managers only."""

    token: Annotated[str, text]
    next: Annotated[str, text] = HOME
    username: Annotated[str, text] = ""


@endpoint(query(Wanted), EndpointDoc({}))
def ask(call: RequestContext[Wanted]) -> Response:
    """Show the page that asks for the token."""
    return page(call, _TEMPLATE, next=safe_redirect_path(call.query.next), problem=None)


@endpoint(no_query, EndpointDoc({}), body=bodies.FORM)
def sign_in(call: RequestContext[Nothing]) -> Response:
    """Begin a session for a caller with the token."""
    form = parse(SignInForm, parameters(call.body))
    token, to = form.token.strip().encode(), safe_redirect_path(form.next)
    refusal = attempt(call, lambda: matches(token, api_token(call.surfaces)), "This is not the token.")
    return begin(call, to) if refusal is None else again(call, to, *refusal)


@endpoint(no_query, EndpointDoc({}), body=bodies.ANYTHING)
def sign_out(call: RequestContext[Nothing]) -> Response:
    """End the session on the server, and delete its cookie."""
    session.end(call)
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    session.drop(call, response, session.COOKIE)
    return response


def attempt(
    call: RequestContext[Any], is_known: Callable[[], bool], otherwise: str
) -> tuple[HTTPStatus, str] | None:
    """Return the reason for a refusal, `otherwise` unless the caller must wait; None if `is_known`."""
    wait_seconds = call.surfaces.sign_ins.take(clients.network_of(call.client))
    if wait_seconds:
        wait = plural(math.ceil(wait_seconds / 60), "minute")
        return HTTPStatus.TOO_MANY_REQUESTS, f"Too many attempts. Wait {wait}."
    if not is_known():
        return HTTPStatus.FORBIDDEN, otherwise
    call.surfaces.sign_ins.forgive(clients.network_of(call.client))
    return None


def begin(call: RequestContext[Any], to: str) -> Response:
    """Begin and record a session; redirect to the page `to`."""
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    begun = session.begin(call, response)
    record(call.surfaces.services, begun.by, "session.begin", f"session/{begun.name}", client=call.client)
    return response


def again(call: RequestContext[Any], to: str, status: HTTPStatus, problem: str) -> Response:
    """Show the page that asks for the token, with the reason for the refusal."""
    _log.warning("sign-in refused", extra={"client": call.client, "status": status.value})
    return page(call, _TEMPLATE, status, next=to, problem=problem)


LIFETIME = timedelta(minutes=10)
_PURPOSE = "invitation"
_NAME_BYTES = 16
_SPENT = "This link was used before, or is too old: rollcall console prints another."


@dataclass(frozen=True, slots=True)
class SignInLink:
    """The field of the link; Caddy removes the field's name from its log."""

    token: Annotated[str, text]


def tickets(client: redis.Redis) -> OneTimeTokens:
    """Return the store of one-time tokens."""
    return OneTimeTokens(client, _PURPOSE)


def create_sign_in_link(given: OneTimeTokens, api_token: str, now: datetime) -> str:
    """Return the path of a new link. Raises: UnreachableError."""
    name = secrets.token_hex(_NAME_BYTES)
    given.give(name, LIFETIME)
    sealed = seal(api_token, _PURPOSE, f"{name} {int((now + LIFETIME).timestamp())}")
    return f"{SIGN_IN}/link?token={sealed}"


@endpoint(query(SignInLink), EndpointDoc({}), blocks=False)
def offer(call: RequestContext[SignInLink]) -> Response:
    """Show the page with the button."""
    return page(call, "invitation.html", token=call.query.token)


@endpoint(no_query, EndpointDoc({}), body=bodies.FORM)
def accept(call: RequestContext[Nothing]) -> Response:
    """Begin a session for a valid link. Raises: UnreachableError, without a session."""
    token = parse(SignInLink, parameters(call.body)).token
    refusal = attempt(call, lambda: _take(call.surfaces, token), _SPENT)
    return begin(call, HOME) if refusal is None else again(call, HOME, *refusal)


def _take(surfaces: WebContext, token: str) -> bool:
    found = unseal(surfaces.api_token, _PURPOSE, token)
    if found is None:
        return False
    name, _, ends = found.partition(" ")
    is_young = surfaces.services.clock.now() < datetime.fromtimestamp(int(ends), UTC)
    return is_young and surfaces.invitations.take(name)


ROUTES = (
    readable("/sign-in", ask, POST=sign_in),
    writable("/sign-out", POST=sign_out),
    readable("/sign-in/link", offer, POST=accept),
)
