"""`/console/sign-in` and `/console/sign-out`: the API token for a session."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from starlette.responses import RedirectResponse, Response

from ingress import bodies, clients
from ingress.bearer import api_token, matches
from ingress.console import cookies, session
from ingress.console.door import HOME, SIGN_IN, safe_redirect_path
from ingress.console.page import page
from ingress.console.wording import plural
from ingress.endpoint import RequestContext, endpoint, readable, writable
from ingress.fields import text
from ingress.forms import Nothing, no_query, parse, query
from ingress.manual import EndpointDoc
from ingress.syntax import parameters
from operations.operation import record

_TEMPLATE = "sign_in.html"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page to go to once signed in."""

    next: Annotated[str, text] = HOME


@dataclass(frozen=True, slots=True)
class SignInForm:
    """What the page sends; `username` is for password managers alone."""

    token: Annotated[str, text]
    next: Annotated[str, text] = HOME
    username: Annotated[str, text] = ""


@endpoint(query(Wanted), EndpointDoc({}))
def ask(call: RequestContext[Wanted]) -> Response:
    """The page that asks for the token."""
    return page(call, _TEMPLATE, next=safe_redirect_path(call.query.next), problem=None)


@endpoint(no_query, EndpointDoc({}), body=bodies.FORM)
def sign_in(call: RequestContext[Nothing]) -> Response:
    """Begin a session for who knows the token."""
    form = parse(SignInForm, parameters(call.body))
    token, to = form.token.strip().encode(), safe_redirect_path(form.next)
    refusal = attempt(call, lambda: matches(token, api_token(call.surfaces)), "This is not the token.")
    return begin(call, to) if refusal is None else again(call, to, *refusal)


@endpoint(no_query, EndpointDoc({}), body=bodies.ANYTHING)
def sign_out(call: RequestContext[Nothing]) -> Response:
    """End the session on the server, and have the browser forget it."""
    session.end(call)
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    cookies.drop(call, response, session.COOKIE)
    return response


def attempt(
    call: RequestContext[Any], is_known: Callable[[], bool], otherwise: str
) -> tuple[HTTPStatus, str] | None:
    """Why the caller stays out, in words that are `otherwise` unless they must wait; None for `is_known`."""
    wait_seconds = call.surfaces.sign_ins.take(clients.network_of(call.client))
    if wait_seconds:
        wait = plural(math.ceil(wait_seconds / 60), "minute")
        return HTTPStatus.TOO_MANY_REQUESTS, f"Too many attempts. Wait {wait}."
    if not is_known():
        return HTTPStatus.FORBIDDEN, otherwise
    call.surfaces.sign_ins.forgive(clients.network_of(call.client))
    return None


def begin(call: RequestContext[Any], to: str) -> Response:
    """A session, recorded, and the way to the page `to`."""
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    begun = session.begin(call, response)
    record(call.surfaces.services, begun.by, "session.begin", f"session/{begun.name}", client=call.client)
    return response


def again(call: RequestContext[Any], to: str, status: HTTPStatus, problem: str) -> Response:
    """The page that asks for the token, with the reason why the caller stays out."""
    _log.warning("sign-in refused", extra={"client": call.client, "status": status.value})
    return page(call, _TEMPLATE, status, next=to, problem=problem)


ROUTES = (readable("/sign-in", ask, POST=sign_in), writable("/sign-out", POST=sign_out))
