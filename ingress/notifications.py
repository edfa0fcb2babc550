"""`/notifications`: every notification, from detected to delivered."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from starlette.responses import Response

from domain.notification import NotificationState
from ingress import representation
from ingress.bearer import api_token
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import address, digits, one_of, unless_blank
from ingress.forms import query
from ingress.manual import EndpointDoc, ResponseDoc
from ingress.pages import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.shapes import page_of

_LISTING = "notifications"


@dataclass(frozen=True, slots=True)
class NotificationsForm:
    """Which of the notifications, and which page of them."""

    watch_id: Annotated[int | None, unless_blank(digits(1))] = None
    email: Annotated[str | None, unless_blank(address)] = None
    state: Annotated[NotificationState | None, unless_blank(one_of(NotificationState))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    query(NotificationsForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("Notification"))}),
    secrets=api_token,
)
def list_all(call: RequestContext[NotificationsForm]) -> Response:
    """The notifications, newest first."""
    form = call.query
    found, following = call.surfaces.services.store.deliveries.page(
        watch_id=form.watch_id,
        state=form.state,
        email=form.email,
        before=form.cursor,
        limit=form.limit,
    )
    return page(_LISTING, map(representation.notification, found), following)


ROUTES = (readable("/notifications", list_all),)
