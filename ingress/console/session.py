"""Who is signed in: a sealed cookie, and nothing kept on the server.

The seal is made with the API token, so that a new token ends every session.
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
from ingress.endpoint import Call
from ingress.surfaces import Surfaces

LIFETIME = timedelta(hours=12)
COOKIE = "rollcall_session"
_PURPOSE = "session"
_NAME_BYTES = 4


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, by a name of its own: it tells in the audit who did what."""

    name: str
    expires_at: datetime

    @property
    def by(self) -> str:
        """Who it is, as the audit shows it."""
        return f"console {self.name}"


def begin(call: Call[Any], response: Response) -> Session:
    """A new session, kept in `response`."""
    ends = call.surfaces.services.clock.now() + LIFETIME
    session = Session(secrets.token_hex(_NAME_BYTES), ends)
    written = f"{session.name} {int(ends.timestamp())}"
    cookies.put(call, response, COOKIE, seal(call.surfaces.api_token, _PURPOSE, written), LIFETIME)
    return session


def of(surfaces: Surfaces, headers: Headers) -> Session | None:
    """The session of whoever sent `headers`, or None for a stranger."""
    found = unseal(surfaces.api_token, _PURPOSE, cookies.get(headers, COOKIE))
    if found is None:
        return None
    name, _, ends = found.partition(" ")
    session = Session(name, datetime.fromtimestamp(int(ends), UTC))
    return session if surfaces.services.clock.now() < session.expires_at else None


def signed_in(call: Call[Any]) -> Session:
    """The session of whoever calls; the door lets nobody else in."""
    session = of(call.surfaces, call.headers)
    if session is None:
        raise AssertionError("the door lets nobody in without a session")
    return session
