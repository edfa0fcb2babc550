"""Console sessions, and the other cookies of the console: the flash message and the theme.

A session is a signed cookie, valid until it expires, the API token changes or the user signs out. The API
token keys the signature, so that a new token ends every session. The database stores only which sessions were
signed out; without a database answer a session is invalid. Every cookie is same-site and hidden from scripts.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import unquote

from itsdangerous import BadData, URLSafeSerializer
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response

from ingress.context import WebContext
from ingress.endpoint import Routes
from ingress.request import RequestContext
from operations.access import sign_out_entry
from operations.inputs import Text

PATH = "/console"
HOME = f"{PATH}/"
SIGN_IN = f"{HOME}sign-in"
_OWN = re.compile(r"/console/(?!/)[A-Za-z0-9/._~%:@+-]*(?:\?[A-Za-z0-9/._~%:@+&=,*-]*)?")
routes = Routes()


def safe_redirect_path(given: str) -> str:
    """Return `given` if it is a path within the console, else the console's first page."""
    return given if _OWN.fullmatch(given) and ".." not in unquote(given) else HOME


def get_cookie(headers: Headers, name: str) -> str:
    """Return the cookie's value; empty without one."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def set_cookie(
    request: RequestContext, response: Response, name: str, value: str, lifetime: timedelta
) -> None:
    """Set a cookie for `lifetime`."""
    seconds = int(lifetime.total_seconds())
    response.set_cookie(
        name, value, max_age=seconds, path=PATH, secure=_is_secure(request), httponly=True, samesite="strict"
    )


def delete_cookie(request: RequestContext, response: Response, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(name, path=PATH, secure=_is_secure(request), httponly=True, samesite="strict")


def _is_secure(request: RequestContext) -> bool:
    """Return whether the browser uses HTTPS; the local end of a tunnel does not need it."""
    is_public_https = request.context.public_url.startswith("https://")
    return request.url.scheme == "https" or (is_public_https and not _is_loopback(request.url.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def sign(secret: str, purpose: str, value: object) -> str:
    """Return a JSON value as a signed text, which is valid for `purpose` only."""
    return _serializer(secret, purpose).dumps(value)


def verify(secret: str, purpose: str, signed: str) -> Any:
    """Return the signed value, or None if `secret` did not sign it for `purpose`."""
    try:
        return _serializer(secret, purpose).loads(signed)
    except BadData:
        return None


def _serializer(secret: str, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, f"rollcall console {purpose}", signer_kwargs={"digest_method": sha256})


LIFETIME = timedelta(hours=12)
COOKIE = "rollcall_session"
_PURPOSE = "session"
_NAME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Session:
    """One session, with an id of its own that the audit entries name."""

    name: str
    expires_at: datetime

    @property
    def by(self) -> str:
        """Return the operator as the audit shows it."""
        return f"console {self.name}"


def begin_session(request: RequestContext, response: Response) -> Session:
    """Begin a new session, stored in `response`."""
    ends = request.services.clock.now() + LIFETIME
    session = Session(secrets.token_hex(_NAME_BYTES), ends)
    signed = sign(request.context.api_token, _PURPOSE, [session.name, int(ends.timestamp())])
    set_cookie(request, response, COOKIE, signed, LIFETIME)
    return session


def active_session(context: WebContext, headers: Headers) -> Session | None:
    """Return the session in `headers`, or None.

    It queries the database: call it on a thread.
    """
    session = read_session(context, headers)
    ended = context.services.store.ended_sessions
    return None if session is None or ended.has(session.name) else session


def end_session(request: RequestContext) -> None:
    """End the caller's session, if there is one, wherever its cookie is stored."""
    session, services = read_session(request.context, request.headers), request.services
    if session is None:
        return
    asked = sign_out_entry(services, session.name, session.by, request.client)
    services.store.ended_sessions.end(session.name, session.expires_at, services.clock.now(), asked)


def read_session(context: WebContext, headers: Headers) -> Session | None:
    """Return the session in `headers`, which may have been signed out."""
    found = verify(context.api_token, _PURPOSE, get_cookie(headers, COOKIE))
    if found is None:
        return None
    name, ends = found
    session = Session(name, datetime.fromtimestamp(ends, UTC))
    return session if context.services.clock.now() < session.expires_at else None


def signed_in(request: RequestContext) -> Session:
    """Return the caller's session; the middleware requires one."""
    session = read_session(request.context, request.headers)
    if session is None:
        raise AssertionError("the middleware requires a session")
    return session


FLASH_COOKIE = "rollcall_flash"
_FLASH_PURPOSE = "flash"
_LIFETIME = timedelta(minutes=1)
_MAX_LENGTH = 1000  # of the 4 kB of a cookie


def set_flash(request: RequestContext, response: Response, sentence: str) -> None:
    """Show `sentence` on the next page."""
    signed = sign(request.context.api_token, _FLASH_PURPOSE, sentence[:_MAX_LENGTH])
    set_cookie(request, response, FLASH_COOKIE, signed, _LIFETIME)


def read_flash(request: RequestContext) -> str | None:
    """Return the sentence for this page, if any."""
    signed = get_cookie(request.headers, FLASH_COOKIE)
    return verify(request.context.api_token, _FLASH_PURPOSE, signed) or None


def clear_flash(request: RequestContext, response: Response) -> None:
    """Delete the shown sentence."""
    delete_cookie(request, response, FLASH_COOKIE)


THEME_COOKIE = "rollcall_theme"
THEMES = ("auto", "light", "dark")
_THEME_LIFETIME = timedelta(days=365)


class ThemeForm(Struct, frozen=True):
    """The theme, and the page to return to."""

    theme: Literal["auto", "light", "dark"]
    back: Text


def current_theme(headers: Headers) -> str:
    """Return the chosen theme."""
    found = get_cookie(headers, THEME_COOKIE)
    return found if found in THEMES else THEMES[0]


@routes.post("/theme", blocks=False)
def choose(request: RequestContext, form: ThemeForm) -> Response:
    """Store the choice."""
    response = RedirectResponse(safe_redirect_path(form.back), HTTPStatus.SEE_OTHER)
    set_cookie(request, response, THEME_COOKIE, form.theme, _THEME_LIFETIME)
    return response
