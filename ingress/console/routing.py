"""The console's routes and its middleware."""

from __future__ import annotations

from http import HTTPStatus

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Router

from ingress.console import (
    activity,
    error_pages,
    jobs,
    layout,
    live_updates,
    notifications,
    now,
    sections,
    sign_in,
    theme,
    timeline,
    watches,
)
from ingress.console.actions import routes
from ingress.console.acts import ACTIONS
from ingress.console.guard import HOME, SameOrigin, SessionMiddleware
from ingress.endpoint import Nothing, Routes
from ingress.request import RequestContext

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
    *theme.routes,
    *routes(ACTIONS),
)


_root = Routes()


@_root.get("/console", lenient_query=Nothing, blocks=False)
def _enter(_request: RequestContext) -> Response:
    """Redirect to the first page."""
    return RedirectResponse(HOME, HTTPStatus.TEMPORARY_REDIRECT)


def console() -> list[BaseRoute]:
    """Return the routes of `/console`; all but the sign-in pages and assets need a session."""
    guarded = Mount("", app=_router(_GUARDED), middleware=[Middleware(SessionMiddleware)])
    outer = [Middleware(ExceptionMiddleware, handlers=error_pages.HANDLERS), Middleware(SameOrigin)]
    pages = Mount(HOME, app=_router((*_OPEN, guarded)), middleware=outer)
    return [*_root, pages]


def _router(routes: tuple[BaseRoute, ...]) -> Router:
    return Router(routes, redirect_slashes=False)
