"""`/console/sign-in/link`: a link from the command line for a session, without typing the token.

It is sealed with the API token and noted in Redis, counts once, and ends after ten minutes. Opening it uses
up nothing, for whatever previews links opens them: the button on its page does.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import redis
from starlette.responses import Response

from ingress import bodies
from ingress.console import sign_in
from ingress.console.door import HOME, SIGN_IN
from ingress.console.page import page
from ingress.console.seal import seal, unseal
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import text
from ingress.forms import Nothing, no_query, parse, query
from ingress.manual import EndpointDoc
from ingress.surfaces import WebContext
from ingress.syntax import parameters
from resilience.login_protection import OneTimeTokens

LIFETIME = timedelta(minutes=10)
_PURPOSE = "invitation"
_NAME_BYTES = 16
_SPENT = "This link was used before, or is too old: rollcall console prints another."


@dataclass(frozen=True, slots=True)
class SignInLink:
    """What the link holds; the name of the field is one that Caddy keeps out of its log."""

    token: Annotated[str, text]


def tickets(client: redis.Redis) -> OneTimeTokens:
    """Where invitations are noted."""
    return OneTimeTokens(client, _PURPOSE)


def create_sign_in_link(given: OneTimeTokens, api_token: str, now: datetime) -> str:
    """The path of a new link. Raises: UnreachableError."""
    name = secrets.token_hex(_NAME_BYTES)
    given.give(name, LIFETIME)
    sealed = seal(api_token, _PURPOSE, f"{name} {int((now + LIFETIME).timestamp())}")
    return f"{SIGN_IN}/link?token={sealed}"


@endpoint(query(SignInLink), EndpointDoc({}), blocks=False)
def offer(call: RequestContext[SignInLink]) -> Response:
    """The page with the button."""
    return page(call, "invitation.html", token=call.query.token)


@endpoint(no_query, EndpointDoc({}), body=bodies.FORM)
def accept(call: RequestContext[Nothing]) -> Response:
    """Begin a session for whoever holds a link that counts. Raises: UnreachableError, and lets nobody in."""
    token = parse(SignInLink, parameters(call.body)).token
    refusal = sign_in.attempt(call, lambda: _take(call.surfaces, token), _SPENT)
    return sign_in.begin(call, HOME) if refusal is None else sign_in.again(call, HOME, *refusal)


def _take(surfaces: WebContext, token: str) -> bool:
    found = unseal(surfaces.api_token, _PURPOSE, token)
    if found is None:
        return False
    name, _, ends = found.partition(" ")
    is_young = surfaces.services.clock.now() < datetime.fromtimestamp(int(ends), UTC)
    return is_young and surfaces.invitations.take(name)


ROUTES = (readable("/sign-in/link", offer, POST=accept),)
