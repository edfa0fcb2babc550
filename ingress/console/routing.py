"""The routes of the console, its guards and its error pages.

Requests come from this site only, and from signed-in operators. Source: the W3C Fetch Metadata request
headers; `Origin` (RFC 6454) for browsers without them.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import InvalidInputError, PermanentError
from ingress import problems
from ingress.console import (
    activity,
    jobs,
    layout,
    live_updates,
    notifications,
    now,
    operations,
    sections,
    session,
    sign_in,
    timeline,
    watches,
)
from ingress.console.layout import page
from ingress.console.session import HOME, SIGN_IN
from ingress.endpoint import Nothing, Routes
from ingress.problems import ProblemError
from ingress.request import RequestContext

_SAFE_METHODS = ("GET", "HEAD")
_KEPT_HEADERS = ("allow", "retry-after")


class SameOrigin:
    """ASGI middleware: rejects unsafe requests that do not come from a page of this site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (403)."""
        request = Request(scope)
        if request.method not in _SAFE_METHODS and not _is_own(request):
            raise ProblemError(HTTPStatus.FORBIDDEN, "The request does not come from a page of the console.")
        await self._app(scope, receive, send)


class SessionMiddleware:
    """ASGI middleware: redirects to the sign-in page without a session."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises: ProblemError (401) for a script's request without a session."""
        request = Request(scope)
        context = request.app.state.context
        if await run_in_threadpool(session.active_session, context, request.headers) is not None:
            await self._app(scope, receive, send)
            return
        if "text/html" not in request.headers.get("accept", "text/html"):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to the console first.")
        await RedirectResponse(_sign_in(request), HTTPStatus.SEE_OTHER)(scope, receive, send)


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


async def show_error(request: Request, error: Exception) -> Response:
    """Return the page for an error that ends a request; a script gets the problem document."""
    if isinstance(error, PermanentError) and not isinstance(error, InvalidInputError):
        error = ProblemError(HTTPStatus.CONFLICT, str(error))
    document = await problems.answer(request, error)
    if "text/html" not in request.headers.get("accept", "text/html"):
        return document
    shown = {"errors": [], **json.loads(bytes(document.body))}
    status = HTTPStatus(document.status_code)
    context = RequestContext(request.app.state.context, request.url, request.headers)
    response = page(context, "failure.html", status, problem=shown, here=HOME)
    response.headers.update(
        {name: document.headers[name] for name in _KEPT_HEADERS if name in document.headers}
    )
    return response


_ERROR_HANDLERS = dict.fromkeys((*problems.HANDLERS, PermanentError), show_error)

_OPEN: tuple[BaseRoute, ...] = (*layout.routes, *sign_in.routes)
_GUARDED: tuple[BaseRoute, ...] = (
    *now.routes,
    *sections.routes,
    *watches.routes,
    *timeline.routes,
    *activity.routes,
    *jobs.routes,
    *notifications.routes,
    *live_updates.routes,
    *session.routes,
    *operations.routes,
)


_root = Routes()


@_root.get("/console", lenient_query=Nothing, blocks=False)
def _enter(_request: RequestContext) -> Response:
    """Redirect to the first page."""
    return RedirectResponse(HOME, HTTPStatus.TEMPORARY_REDIRECT)


def console() -> list[BaseRoute]:
    """Return the routes of `/console`; all but the sign-in pages and assets need a session."""
    guarded = Mount("", app=_router(_GUARDED), middleware=[Middleware(SessionMiddleware)])
    outer = [Middleware(ExceptionMiddleware, handlers=_ERROR_HANDLERS), Middleware(SameOrigin)]
    pages = Mount(HOME, app=_router((*_OPEN, guarded)), middleware=outer)
    return [*_root, pages]


def _router(routes: tuple[BaseRoute, ...]) -> Router:
    return Router(routes, redirect_slashes=False)
