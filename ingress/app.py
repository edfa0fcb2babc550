"""The HTTP application: routes and middleware."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ingress.admission import Admission
from ingress.api.openapi import ROUTES
from ingress.clients import Forwarded
from ingress.console.live_updates import LiveUpdates
from ingress.console.now import NowView
from ingress.console.routing import console
from ingress.context import WebContext
from ingress.middleware import DrainBodyMiddleware, EncodedSlashMiddleware, RequestIdMiddleware
from ingress.problems import HANDLERS
from observability.recorders import REFUSED


def create_app(context: WebContext) -> Starlette:
    """Return the application over `context`; nothing connects before the first request."""
    app = Starlette(
        routes=[*ROUTES, *console()],
        middleware=[
            Middleware(EncodedSlashMiddleware),
            Middleware(Forwarded, secret=context.proxy_secret),
            Middleware(DrainBodyMiddleware),
            Middleware(RequestIdMiddleware),
        ],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False  # a redirect would send the bearer token to another address
    app.state.context = context
    app.state.admission = Admission(partial(context.services.recorder.add, REFUSED))
    app.state.live = LiveUpdates(NowView(context))
    return app
