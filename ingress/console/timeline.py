"""`/console/timeline`: what happened, and why a notification is missing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urlencode

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from domain.section import SectionKey
from ingress.api.watches import SectionPath, WatchPath
from ingress.console import session
from ingress.console.layout import page
from ingress.console.notifications import NotificationPath
from ingress.endpoint import Routes
from ingress.problems import not_found
from ingress.request import RequestContext
from operations import timeline
from operations.inputs import Email, Text
from operations.timeline_events import Timeline

routes = Routes()
_PATH = "/console/timeline"
_THINGS = {
    "address": "the address",
    "section": "the section (source/term/number)",
    "watch": "the watch number",
    "notification": "the notification number",
}
_FORM_OF_SECTION = "Enter a section as source/term/number, such as scraper/2261/12431. These sections match."


class FindQuery(Struct, frozen=True):
    """The subject of the timeline."""

    of: Literal["address", "section", "watch", "notification"] = "address"
    q: Text | None = None


class AddressQuery(Struct, frozen=True):
    """The address."""

    email: Email


@routes.get("/timeline")
def find(request: RequestContext, query: FindQuery) -> Response:
    """Show the search, or redirect to the timeline found."""
    if query.q is None:
        return page(request, "timeline_find.html", things=_THINGS)
    wanted = query.q.strip()
    if query.of == "address":
        return _redirect(f"address?email={quote(wanted, safe='@')}")
    if query.of != "section":
        return _redirect(f"{query.of}/{quote(wanted, safe='')}")
    key = SectionKey.parse(wanted)
    return _search(request, wanted) if key is None else _redirect(f"section/{key.path}")


@routes.get("/timeline/watch/{id}")
def of_watch(request: RequestContext, path: WatchPath) -> Response:
    """Show the timeline of a watch."""
    services = request.services
    if services.store.watches.get(path.id) is None:
        raise not_found("watch")
    return _show(request, timeline.of_watch(services, path.id))


@routes.get("/timeline/notification/{id}")
def of_notification(request: RequestContext, path: NotificationPath) -> Response:
    """Show the timeline of a notification."""
    services = request.services
    if services.store.deliveries.get(path.id) is None:
        raise not_found("notification")
    return _show(request, timeline.of_notification(services, path.id))


@routes.get("/timeline/section/{source}/{term}/{number}")
def of_section(request: RequestContext, path: SectionPath) -> Response:
    """Show the timeline of a section."""
    services, key = request.services, path.key
    if services.store.sections.get(key) is None:
        raise not_found("section")
    return _show(request, timeline.of_section(services, key))


@routes.get("/timeline/address")
def of_address(request: RequestContext, query: AddressQuery) -> Response:
    """Show the timeline of an address."""
    return _show(request, timeline.of_address(request.services, query.email))


def _search(request: RequestContext, wanted: str) -> Response:
    """Return the sections that match."""
    response = RedirectResponse(f"/console/sections?{urlencode({'q': wanted})}", HTTPStatus.SEE_OTHER)
    session.set_flash(request, response, _FORM_OF_SECTION)
    return response


def _redirect(path: str) -> Response:
    return RedirectResponse(f"{_PATH}/{path}", HTTPStatus.SEE_OTHER)


def _show(request: RequestContext, found: Timeline) -> Response:
    return page(request, "timeline.html", timeline=found)
