"""The console's routes, behind its door."""

from __future__ import annotations

from http import HTTPStatus

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Router

from ingress.console import (
    assets,
    audit,
    dead,
    events,
    failures,
    invitation,
    jobs,
    mail,
    now,
    runs,
    sections,
    sign_in,
    theme,
    timeline,
    watches,
)
from ingress.console.actions import routes
from ingress.console.acts import ACTIONS
from ingress.console.door import HOME, SameOrigin, SessionMiddleware
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.forms import unread
from ingress.manual import EndpointDoc

_OPEN: tuple[BaseRoute, ...] = (*assets.ROUTES, *sign_in.ROUTES, *invitation.ROUTES)
_GUARDED: tuple[BaseRoute, ...] = (
    *now.ROUTES,
    *sections.ROUTES,
    *watches.ROUTES,
    *timeline.ROUTES,
    *runs.ROUTES,
    *jobs.ROUTES,
    *mail.ROUTES,
    *dead.ROUTES,
    *audit.ROUTES,
    *events.ROUTES,
    *theme.ROUTES,
    *routes(ACTIONS),
)


@endpoint(unread(), EndpointDoc({}), blocks=False)
def _enter(_call: RequestContext[bytes]) -> Response:
    """The first page."""
    return RedirectResponse(HOME, HTTPStatus.TEMPORARY_REDIRECT)


def console() -> list[BaseRoute]:
    """Everything under `/console`; what is not open is for who is signed in, what acts for own pages."""
    guarded = Mount("", app=_router(_GUARDED), middleware=[Middleware(SessionMiddleware)])
    outer = [Middleware(ExceptionMiddleware, handlers=failures.HANDLERS), Middleware(SameOrigin)]
    pages = Mount(HOME, app=_router((*_OPEN, guarded)), middleware=outer)
    return [readable("/console", _enter), pages]


def _router(routes: tuple[BaseRoute, ...]) -> Router:
    return Router(routes, redirect_slashes=False)
