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
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.forms import unread

_OPEN: tuple[BaseRoute, ...] = (*layout.ROUTES, *sign_in.ROUTES)
_GUARDED: tuple[BaseRoute, ...] = (
    *now.ROUTES,
    *sections.ROUTES,
    *watches.ROUTES,
    *timeline.ROUTES,
    *activity.ROUTES,
    *jobs.ROUTES,
    *notifications.ROUTES,
    *live_updates.ROUTES,
    *theme.ROUTES,
    *routes(ACTIONS),
)


@endpoint(unread(), EndpointDoc({}), blocks=False)
def _enter(_call: RequestContext[bytes]) -> Response:
    """Redirect to the first page."""
    return RedirectResponse(HOME, HTTPStatus.TEMPORARY_REDIRECT)


def console() -> list[BaseRoute]:
    """Return the routes of `/console`; all but the sign-in pages and assets need a session."""
    guarded = Mount("", app=_router(_GUARDED), middleware=[Middleware(SessionMiddleware)])
    outer = [Middleware(ExceptionMiddleware, handlers=error_pages.HANDLERS), Middleware(SameOrigin)]
    pages = Mount(HOME, app=_router((*_OPEN, guarded)), middleware=outer)
    return [readable("/console", _enter), pages]


def _router(routes: tuple[BaseRoute, ...]) -> Router:
    return Router(routes, redirect_slashes=False)
