"""Who is signed in: a sealed cookie, which ends with its time, with the API token or by signing out.

The seal is made with the API token, so that a new token ends every session. The server keeps only which
sessions were signed out, in the database: what cannot be looked up there lets nobody in.

The console's cookies: never sent to or by other sites, and never readable by a script.

Text that leaves in a cookie, and is believed only when it comes back as it left.

One sentence for the next page: what was just done.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from ingress.context import WebContext
from ingress.endpoint import RequestContext
from operations.operation import entry

PATH = "/console"


def get(headers: Headers, name: str) -> str:
    """The cookie's value; empty when there is none."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def put(call: RequestContext[Any], response: Response, name: str, value: str, lifetime: timedelta) -> None:
    """Give the browser a cookie to keep for `lifetime`."""
    seconds = int(lifetime.total_seconds())
    response.set_cookie(
        name, value, max_age=seconds, path=PATH, secure=_is_secure(call), httponly=True, samesite="strict"
    )


def drop(call: RequestContext[Any], response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path=PATH, secure=_is_secure(call), httponly=True, samesite="strict")


def _is_secure(call: RequestContext[Any]) -> bool:
    """Whether the browser came by HTTPS; a tunnel's end on the browser's own machine needs none."""
    is_public_https = call.surfaces.public_url.startswith("https://")
    return call.url.scheme == "https" or (is_public_https and not _is_loopback(call.url.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_CONTEXT = "rollcall console"


def seal(secret: str, purpose: str, text: str) -> str:
    """`text` with its HMAC-SHA256; what is sealed for one purpose is worth nothing for another."""
    content = text.encode()
    return f"{_written(content)}.{_written(_mac(secret, purpose, content))}"


def unseal(secret: str, purpose: str, sealed: str) -> str | None:
    """The text, or None where `secret` has not sealed it for `purpose`."""
    content, _, mac = (part.encode() for part in sealed.partition("."))
    try:
        text = base64.b64decode(content + b"=" * (-len(content) % 4), b"-_", validate=True)
    except ValueError:
        return None
    is_ours = hmac.compare_digest(mac, _written(_mac(secret, purpose, text)).encode())
    return text.decode() if is_ours else None


def _mac(secret: str, purpose: str, content: bytes) -> bytes:
    return hmac.new(secret.encode(), f"{_CONTEXT} {purpose}\0".encode() + content, sha256).digest()


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


LIFETIME = timedelta(hours=12)
COOKIE = "rollcall_session"
_PURPOSE = "session"
_NAME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, by a name of its own: it tells in the audit who did what."""

    name: str
    expires_at: datetime

    @property
    def by(self) -> str:
        """Who it is, as the audit shows it."""
        return f"console {self.name}"


def begin(call: RequestContext[Any], response: Response) -> Session:
    """A new session, kept in `response`."""
    ends = call.surfaces.services.clock.now() + LIFETIME
    session = Session(secrets.token_hex(_NAME_BYTES), ends)
    written = f"{session.name} {int(ends.timestamp())}"
    put(call, response, COOKIE, seal(call.surfaces.api_token, _PURPOSE, written), LIFETIME)
    return session


def of(surfaces: WebContext, headers: Headers) -> Session | None:
    """The session of whoever sent `headers`, or None for a stranger.

    It asks the database: call it on a thread.
    """
    session = sealed(surfaces, headers)
    ended = surfaces.services.store.ended_sessions
    return None if session is None or ended.has(session.name) else session


def end(call: RequestContext[Any]) -> None:
    """End the session of whoever calls, if there is one, wherever else its cookie is kept."""
    session, services = sealed(call.surfaces, call.headers), call.surfaces.services
    if session is None:
        return
    asked = entry(services, session.by, "session.end", f"session/{session.name}", client=call.client)
    services.store.ended_sessions.end(session.name, session.expires_at, services.clock.now(), asked)


def sealed(surfaces: WebContext, headers: Headers) -> Session | None:
    """The session that `headers` show, which may have been signed out."""
    found = unseal(surfaces.api_token, _PURPOSE, get(headers, COOKIE))
    if found is None:
        return None
    name, _, ends = found.partition(" ")
    session = Session(name, datetime.fromtimestamp(int(ends), UTC))
    return session if surfaces.services.clock.now() < session.expires_at else None


def signed_in(call: RequestContext[Any]) -> Session:
    """The session of whoever calls; the door lets nobody else in."""
    session = sealed(call.surfaces, call.headers)
    if session is None:
        raise AssertionError("the door lets nobody in without a session")
    return session


FLASH_COOKIE = "rollcall_flash"
_FLASH_PURPOSE = "flash"
_LIFETIME = timedelta(minutes=1)
_MAX_LENGTH = 1000  # of a cookie's 4 kB


def set_flash(call: RequestContext[Any], response: Response, sentence: str) -> None:
    """Have the next page say `sentence`."""
    sealed = seal(call.surfaces.api_token, _FLASH_PURPOSE, sentence[:_MAX_LENGTH])
    put(call, response, FLASH_COOKIE, sealed, _LIFETIME)


def read_flash(call: RequestContext[Any]) -> str | None:
    """What this page is to say, if anything."""
    return unseal(call.surfaces.api_token, _FLASH_PURPOSE, get(call.headers, FLASH_COOKIE)) or None


def clear(call: RequestContext[Any], response: Response) -> None:
    """It is said."""
    drop(call, response, FLASH_COOKIE)
