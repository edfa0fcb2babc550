"""Who may call: bearer tokens, compared in constant time.

Source: RFC 6750, 2.1 and 3. A token is read from the `Authorization` header alone, never from an address.
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


def cron_secret(surfaces: WebContext) -> tuple[str, ...]:
    """What lets a caller trigger runs."""
    return (surfaces.cron_secret,)


def api_token(surfaces: WebContext) -> tuple[str, ...]:
    """What lets a caller read and write watches."""
    return (surfaces.api_token,)


def either(surfaces: WebContext) -> tuple[str, ...]:
    """What lets a caller see how things are."""
    return (surfaces.cron_secret, surfaces.api_token)


def require(headers: Headers, secrets: Iterable[str]) -> None:
    """Let the caller pass who holds one of `secrets`. Raises: ProblemError (401) for anybody else."""
    token = _token(headers)
    if token is None:
        raise _stranger("A bearer token is required.", "Bearer")
    if not matches(token, secrets):
        raise _stranger("The bearer token is not accepted here.", 'Bearer error="invalid_token"')


def is_given(headers: Headers) -> bool:
    """Whether the caller claims to be somebody, rightly or not."""
    return "authorization" in headers


def matches(token: bytes, secrets: Iterable[str]) -> bool:
    """Whether `token` is one of `secrets`; the time it takes tells neither which nor how much of it."""
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(sha256(token).digest(), sha256(secret.encode()).digest())
    return found


def _token(headers: Headers) -> bytes | None:
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def _stranger(detail: str, challenge: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
