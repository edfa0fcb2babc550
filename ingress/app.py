"""The HTTP application: routes and middleware."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ingress.admission import Admission
from ingress.api import openapi
from ingress.clients import Forwarded
from ingress.console.live_updates import LiveUpdates
from ingress.console.now import NowView
from ingress.console.routing import console
from ingress.context import WebContext
from ingress.middleware import DrainBodyMiddleware, RequestIdMiddleware
from ingress.problems import HANDLERS
from observability.recorders import REFUSED

_SURFACES = (*openapi.DESCRIBED, openapi)


def create_app(surfaces: WebContext) -> Starlette:
    """Return the application over `surfaces`; nothing connects before the first request."""
    app = Starlette(
        routes=[*(route for surface in _SURFACES for route in surface.ROUTES), *console()],
        middleware=[
            Middleware(Forwarded, secret=surfaces.proxy_secret),
            Middleware(DrainBodyMiddleware),
            Middleware(RequestIdMiddleware),
        ],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False  # a redirect would send the bearer token to another address
    app.state.surfaces = surfaces
    app.state.admission = Admission(partial(surfaces.services.tally.add, REFUSED))
    app.state.live = LiveUpdates(NowView(surfaces))
    return app
