"""`/console/mail`: notifications, their messages, and suppressed addresses."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import HTMLResponse, Response

from domain.notification import NotificationState
from ingress.console.layout import page
from ingress.endpoint import Routes
from ingress.pagination import cursor_of, next_cursor
from ingress.problems import not_found
from ingress.request import RequestContext
from operations import mail
from operations.inputs import PositiveId, Text

_LISTING = "notifications"
_SHOWN = 50
routes = Routes()
# A message may style itself and nothing else: no scripts, requests, forms or navigation.
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)


class NotificationPath(Struct, frozen=True):
    """One notification."""

    id: PositiveId


class NotificationsQuery(Struct, frozen=True):
    """The filter and the page of the notifications."""

    state: NotificationState | None = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


class SuppressionsQuery(Struct, frozen=True):
    """The page of the suppressions."""

    after: Text | None = None


@routes.get("/mail")
def show_all(request: RequestContext, query: NotificationsQuery) -> Response:
    """List the notifications, newest first."""
    services = request.services
    found, following = services.store.deliveries.page(
        watch_id=None, state=query.state, before=query.cursor, limit=_SHOWN
    )
    return page(
        request,
        "mail.html",
        found=found,
        form=query,
        states=NotificationState,
        transport=services.mailer.name,
        filters=urlencode({"state": query.state or ""}),
        older=next_cursor(_LISTING, following),
    )


@routes.get("/mail/suppressions")
def show_suppressed(request: RequestContext, query: SuppressionsQuery) -> Response:
    """List the suppressed addresses and the reasons."""
    found, after = request.services.store.deliveries.suppressed(query.after, _SHOWN)
    return page(request, "suppressions.html", found=found, following=after and urlencode({"after": after}))


@routes.get("/mail/{id}")
def show_one(request: RequestContext, path: NotificationPath) -> Response:
    """Show one notification's message: headers, text, and its HTML in a sandboxed frame."""
    services = request.services
    stored = services.store.deliveries.get(path.id)
    if stored is None:
        raise not_found("notification")
    return page(request, "letter.html", stored=stored, message=mail.preview(services, path.id))


@routes.get("/mail/{id}/html")
def show_html(request: RequestContext, path: NotificationPath) -> Response:
    """Return the message's HTML alone."""
    services = request.services
    if services.store.deliveries.get(path.id) is None:
        raise not_found("notification")
    html = mail.preview(services, path.id).html
    return HTMLResponse(html, headers={"Content-Security-Policy": _LETTER_POLICY})
