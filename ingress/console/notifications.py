"""`/console/mail`: notifications, their letters, and the addresses to which nothing leaves."""

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
# A letter may style itself and nothing else: no script, no request, no form, no way out of its frame.
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class MailForm:
    """Which of the notifications, and which page of them."""

    state: Annotated[NotificationState | None, unless_blank(one_of(NotificationState))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@dataclass(frozen=True, slots=True)
class SuppressionsForm:
    """After which address."""

    after: Annotated[str | None, unless_blank(text)] = None


@endpoint(query(MailForm), EndpointDoc({}))
def show_all(call: RequestContext[MailForm]) -> Response:
    """The notifications, newest first."""
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
    """One notification's letter: headers, text, and its HTML in a frame that can do nothing."""
    services, number = call.surfaces.services, call.path["id"]
    stored = services.store.deliveries.get(number)
    if stored is None:
        raise not_found("notification")
    return page(call, "letter.html", stored=stored, letter=mail.preview(services, number))


@endpoint(no_query, EndpointDoc({}), path=_PATH)
def show_html(call: RequestContext[Nothing]) -> Response:
    """The letter's HTML alone."""
    services, number = call.surfaces.services, call.path["id"]
    if services.store.deliveries.get(number) is None:
        raise not_found("notification")
    html = mail.preview(services, number).html
    return HTMLResponse(html, headers={"Content-Security-Policy": _LETTER_POLICY})


@endpoint(query(SuppressionsForm), EndpointDoc({}))
def show_suppressed(call: RequestContext[SuppressionsForm]) -> Response:
    """The addresses to which nothing leaves, and why."""
    found, after = call.surfaces.services.store.deliveries.suppressed(call.query.after, _SHOWN)
    return page(call, "suppressions.html", found=found, following=after and urlencode({"after": after}))


ROUTES = (
    readable("/mail", show_all),
    readable("/mail/suppressions", show_suppressed),
    readable("/mail/{id}", show_one),
    readable("/mail/{id}/html", show_html),
)
