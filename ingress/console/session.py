"""Who is signed in: a sealed cookie, which ends with its time, with the API token or by signing out.

The seal is made with the API token, so that a new token ends every session. The server keeps only which
sessions were signed out, in the database: what cannot be looked up there lets nobody in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from ingress.console import cookies
from ingress.console.seal import seal, unseal
from ingress.endpoint import RequestContext
from ingress.surfaces import WebContext
from operations.operation import entry

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
    cookies.put(call, response, COOKIE, seal(call.surfaces.api_token, _PURPOSE, written), LIFETIME)
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
    found = unseal(surfaces.api_token, _PURPOSE, cookies.get(headers, COOKIE))
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
