"""The HTTP application: the surfaces put together."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ingress import openapi
from ingress.admission import Admission
from ingress.clients import Forwarded
from ingress.console.live import Live
from ingress.console.now import Drawing
from ingress.console.routing import console
from ingress.envelope import Envelope
from ingress.leftovers import Leftovers
from ingress.problems import HANDLERS
from ingress.surfaces import Surfaces
from observability.families import REFUSED

_SURFACES = (*openapi.DESCRIBED, openapi)


def create_app(surfaces: Surfaces) -> Starlette:
    """The application over `surfaces`; nothing connects before the first request."""
    app = Starlette(
        routes=[*(route for surface in _SURFACES for route in surface.ROUTES), *console()],
        middleware=[
            Middleware(Forwarded, secret=surfaces.proxy_secret),
            Middleware(Leftovers),
            Middleware(Envelope),
        ],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False  # a redirect would send the bearer token to another address
    app.state.surfaces = surfaces
    app.state.admission = Admission(partial(surfaces.services.tally.add, REFUSED))
    app.state.live = Live(Drawing(surfaces))
    return app
