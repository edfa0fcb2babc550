"""`/console/sign-in` and `/console/sign-out`: exchange the API token, or a one-time link, for a session.

The command line creates the link. It is signed with the API token and stored in Redis, valid once and for ten
minutes. Opening it does not consume it, because link previews open links too; the button on its page does.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import redis
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from domain.text import plural
from ingress import clients
from ingress.auth import api_token, matches
from ingress.console import session
from ingress.console.layout import page
from ingress.console.session import HOME, SIGN_IN, safe_redirect_path, sign, verify
from ingress.context import WebContext
from ingress.endpoint import Routes
from ingress.request import ANY_BODY, RequestContext
from operations.access import record_refusal, record_sign_in
from operations.inputs import Text
from resilience.login_protection import OneTimeTokens

_TEMPLATE = "sign_in.html"
routes = Routes()
_log = logging.getLogger(__name__)


class SignInQuery(Struct, frozen=True):
    """The page to open after sign-in."""

    next: Text = HOME


class SignInForm(Struct, frozen=True):
    """The fields of the form; `username` is for password managers only."""

    token: Text
    next: Text = HOME
    username: Text = ""


@routes.get("/sign-in")
def ask(request: RequestContext, query: SignInQuery) -> Response:
    """Show the page that asks for the token."""
    return page(request, _TEMPLATE, next=safe_redirect_path(query.next), problem=None)


@routes.post("/sign-in")
def sign_in(request: RequestContext, form: SignInForm) -> Response:
    """Begin a session for a caller with the token."""
    token, to = form.token.strip().encode(), safe_redirect_path(form.next)
    refusal = attempt(request, lambda: matches(token, api_token(request.context)), "The token is not valid.")
    return begin(request, to) if refusal is None else again(request, to, *refusal)


@routes.post("/sign-out", accepts=ANY_BODY)
def sign_out(request: RequestContext) -> Response:
    """End the session on the server, and delete its cookie."""
    session.end_session(request)
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    session.delete_cookie(request, response, session.COOKIE)
    return response


def attempt(
    request: RequestContext, is_known: Callable[[], bool], otherwise: str
) -> tuple[HTTPStatus, str] | None:
    """Return the reason for a refusal, `otherwise` unless the caller must wait; None if `is_known`."""
    wait_seconds = request.context.sign_ins.take(clients.network_of(request.client))
    if wait_seconds:
        wait = plural(math.ceil(wait_seconds / 60), "minute")
        return HTTPStatus.TOO_MANY_REQUESTS, f"Too many attempts. Wait {wait}."
    if not is_known():
        record_refusal(request.services, request.client)
        return HTTPStatus.FORBIDDEN, otherwise
    request.context.sign_ins.reset(clients.network_of(request.client))
    return None


def begin(request: RequestContext, to: str) -> Response:
    """Begin and record a session; redirect to the page `to`."""
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    begun = session.begin_session(request, response)
    record_sign_in(request.services, begun.name, begun.by, request.client)
    return response


def again(request: RequestContext, to: str, status: HTTPStatus, problem: str) -> Response:
    """Show the page that asks for the token, with the reason for the refusal."""
    _log.warning("sign-in refused", extra={"client": request.client, "status": status.value})
    return page(request, _TEMPLATE, status, next=to, problem=problem)


LIFETIME = timedelta(minutes=10)
_PURPOSE = "invitation"
_NAME_BYTES = 16
_SPENT = "This link was used or has expired; rollcall console prints another."


class SignInLink(Struct, frozen=True):
    """The field of the link; Caddy removes it from its log."""

    token: Text


def tickets(client: redis.Redis) -> OneTimeTokens:
    """Return the store of one-time tokens."""
    return OneTimeTokens(client, _PURPOSE)


def create_sign_in_link(given: OneTimeTokens, api_token: str, now: datetime) -> str:
    """Return the path of a new link. Raises: UnreachableError."""
    name = secrets.token_hex(_NAME_BYTES)
    given.issue(name, LIFETIME)
    signed = sign(api_token, _PURPOSE, [name, int((now + LIFETIME).timestamp())])
    return f"{SIGN_IN}/link?token={signed}"


@routes.get("/sign-in/link", blocks=False)
def offer(request: RequestContext, query: SignInLink) -> Response:
    """Show the page with the button."""
    return page(request, "invitation.html", token=query.token)


@routes.post("/sign-in/link")
def accept(request: RequestContext, form: SignInLink) -> Response:
    """Begin a session for a valid link. Raises: UnreachableError, without a session."""
    refusal = attempt(request, lambda: _take(request.context, form.token), _SPENT)
    return begin(request, HOME) if refusal is None else again(request, HOME, *refusal)


def _take(context: WebContext, token: str) -> bool:
    found = verify(context.api_token, _PURPOSE, token)
    if found is None:
        return False
    name, ends = found
    is_valid = context.services.clock.now() < datetime.fromtimestamp(ends, UTC)
    return is_valid and context.invitations.redeem(name)
