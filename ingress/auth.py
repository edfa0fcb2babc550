"""Authentication by bearer tokens, compared in constant time.

Source: RFC 6750, 2.1 and 3. A token is read only from the `Authorization` header, never from a URL.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from hashlib import sha256
from http import HTTPStatus

from starlette.datastructures import Headers

from ingress.context import WebContext
from ingress.problems import ProblemError

Secrets = Callable[[WebContext], tuple[str, ...]]


def cron_secret(context: WebContext) -> tuple[str, ...]:
    """Return the secrets that allow triggering runs."""
    return (context.cron_secret,)


def api_token(context: WebContext) -> tuple[str, ...]:
    """Return the secrets that allow reading and writing watches."""
    return (context.api_token,)


def either(context: WebContext) -> tuple[str, ...]:
    """Return the secrets that allow reading the system's state."""
    return (context.cron_secret, context.api_token)


def require(headers: Headers, secrets: Iterable[str]) -> None:
    """Authorize a caller with one of `secrets`. Raises: ProblemError (401) for others."""
    token = _token(headers)
    if token is None:
        raise _unauthorized("A bearer token is required.", "Bearer")
    if not matches(token, secrets):
        raise _unauthorized("The bearer token is not valid here.", 'Bearer error="invalid_token"')


def is_given(headers: Headers) -> bool:
    """Return whether the request carries credentials, valid or not."""
    return "authorization" in headers


def matches(token: bytes, secrets: Iterable[str]) -> bool:
    """Return whether `token` is one of `secrets`, in time that depends on neither."""
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(sha256(token).digest(), sha256(secret.encode()).digest())
    return found


def _token(headers: Headers) -> bytes | None:
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def _unauthorized(detail: str, challenge: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
