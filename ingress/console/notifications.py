"""`/console/mail`: notifications, their messages, and suppressed addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from domain.notification import NotificationState
from ingress.console.layout import page
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import digits, one_of, text, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.pagination import cursor, cursor_of
from ingress.problems import not_found
from operations import mail

_LISTING = "notifications"
_SHOWN = 50
_PATH = {"id": digits(1)}
# A message may style itself and nothing else: no scripts, requests, forms or navigation.
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class MailForm:
    """The filter and the page of the notifications."""

    state: Annotated[NotificationState | None, unless_blank(one_of(NotificationState))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@dataclass(frozen=True, slots=True)
class SuppressionsForm:
    """The page of the suppressions."""

    after: Annotated[str | None, unless_blank(text)] = None


@endpoint(query(MailForm), EndpointDoc({}))
def show_all(call: RequestContext[MailForm]) -> Response:
    """List the notifications, newest first."""
    form, services = call.query, call.surfaces.services
    found, following = services.store.deliveries.page(
        watch_id=None, state=form.state, before=form.cursor, limit=_SHOWN
    )
    return page(
        call,
        "mail.html",
        found=found,
        form=form,
        states=NotificationState,
        transport=services.mailer.name,
        filters=urlencode({"state": form.state or ""}),
        older=cursor(_LISTING, following),
    )


@endpoint(no_query, EndpointDoc({}), path=_PATH)
def show_one(call: RequestContext[Nothing]) -> Response:
    """Show one notification's message: headers, text, and its HTML in a sandboxed frame."""
    services, number = call.surfaces.services, call.path["id"]
    stored = services.store.deliveries.get(number)
    if stored is None:
        raise not_found("notification")
    return page(call, "letter.html", stored=stored, message=mail.preview(services, number))


@endpoint(no_query, EndpointDoc({}), path=_PATH)
def show_html(call: RequestContext[Nothing]) -> Response:
    """Return the message's HTML alone."""
    services, number = call.surfaces.services, call.path["id"]
    if services.store.deliveries.get(number) is None:
        raise not_found("notification")
    html = mail.preview(services, number).html
    return HTMLResponse(html, headers={"Content-Security-Policy": _LETTER_POLICY})


@endpoint(query(SuppressionsForm), EndpointDoc({}))
def show_suppressed(call: RequestContext[SuppressionsForm]) -> Response:
    """List the suppressed addresses and the reasons."""
    found, after = call.surfaces.services.store.deliveries.suppressed(call.query.after, _SHOWN)
    return page(call, "suppressions.html", found=found, following=after and urlencode({"after": after}))


ROUTES = (
    readable("/mail", show_all),
    readable("/mail/suppressions", show_suppressed),
    readable("/mail/{id}", show_one),
    readable("/mail/{id}/html", show_html),
)
