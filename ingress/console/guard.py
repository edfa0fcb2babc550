"""Guards the console: same-origin requests only, from signed-in operators.

Source: the W3C Fetch Metadata request headers; `Origin` (RFC 6454) for browsers without them.
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
    """ASGI middleware: rejects unsafe requests that do not come from a page of this site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (403)."""
        request = Request(scope)
        if request.method not in _SAFE_METHODS and not _is_own(request):
            raise ProblemError(HTTPStatus.FORBIDDEN, "This was not sent from a page of the console.")
        await self._app(scope, receive, send)


class SessionMiddleware:
    """ASGI middleware: redirects to the sign-in page without a session."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (401) for a script's request without a session."""
        request = Request(scope)
        if await run_in_threadpool(session.of, request.app.state.context, request.headers) is not None:
            await self._app(scope, receive, send)
            return
        if "text/html" not in request.headers.get("accept", "text/html"):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to the console first.")
        await RedirectResponse(_sign_in(request), HTTPStatus.SEE_OTHER)(scope, receive, send)


def safe_redirect_path(given: str) -> str:
    """Return `given` if it is a path within the console, else the console's first page."""
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
