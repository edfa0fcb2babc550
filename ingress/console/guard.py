"""Whom the console lets in: requests of its own pages, by somebody who is signed in.

Source: the Fetch Metadata request headers of the W3C; `Origin` (RFC 6454) for browsers without them.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ingress.console import session
from ingress.problems import ProblemError

HOME = "/console/"
SIGN_IN = f"{HOME}sign-in"
_SAFE_METHODS = ("GET", "HEAD")
_OWN = re.compile(r"/console/(?!/)[A-Za-z0-9/._~%:@+-]*(?:\?[A-Za-z0-9/._~%:@+&=,*-]*)?")


class SameOrigin:
    """ASGI middleware: what acts must come from a page of this site, or it is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (403)."""
        request = Request(scope)
        if request.method not in _SAFE_METHODS and not _is_own(request):
            raise ProblemError(HTTPStatus.FORBIDDEN, "This was not sent from a page of the console.")
        await self._app(scope, receive, send)


class SessionMiddleware:
    """ASGI middleware: whoever is not signed in is led to where that is done."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (401) for a script's request by a stranger."""
        request = Request(scope)
        if await run_in_threadpool(session.of, request.app.state.surfaces, request.headers) is not None:
            await self._app(scope, receive, send)
            return
        if "text/html" not in request.headers.get("accept", "text/html"):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to the console first.")
        await RedirectResponse(_sign_in(request), HTTPStatus.SEE_OTHER)(scope, receive, send)


def safe_redirect_path(given: str) -> str:
    """`given` where it is an address within the console, else the console's first page."""
    return given if _OWN.fullmatch(given) and ".." not in unquote(given) else HOME


def _sign_in(request: Request) -> str:
    if request.method not in _SAFE_METHODS:
        return SIGN_IN
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{SIGN_IN}?next={quote(wanted, safe='/')}"


def _is_own(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return request.headers.get("origin") == f"{request.url.scheme}://{request.url.netloc}"
