"""`/console/timeline`: what happened, and why a notification is missing."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response

from domain.section import SectionKey
from ingress import fields
from ingress.console import session
from ingress.console.layout import page
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import address, digits, one_of, text
from ingress.forms import Nothing, no_query, query
from ingress.problems import not_found
from operations import timeline
from operations.timeline_events import Timeline

_PATH = "/console/timeline"
_THINGS = {
    "address": "the address",
    "section": "the section (source/term/number)",
    "watch": "the watch number",
    "notification": "the notification number",
}
_PARTS = 3  # source, term and number
_FORM_OF_SECTION = (
    "A timeline is asked for by source/term/number, such as scraper/2261/12431. These sections may be meant."
)


@dataclass(frozen=True, slots=True)
class FindForm:
    """The subject of the timeline."""

    of: Annotated[str, one_of(_THINGS)] = "address"
    q: Annotated[str | None, text] = None


@dataclass(frozen=True, slots=True)
class AddressForm:
    """The address."""

    email: Annotated[str, address]


@endpoint(query(FindForm), EndpointDoc({}))
def find(call: RequestContext[FindForm]) -> Response:
    """Show the search, or redirect to the timeline found."""
    form = call.query
    if form.q is None:
        return page(call, "timeline_find.html", things=_THINGS)
    if form.of == "section" and not _is_section(form.q.strip()):
        return _search(call, form.q.strip())
    wanted = quote(form.q.strip(), safe="/@")
    at = f"{_PATH}/address?email={quote(form.q.strip(), safe='@')}" if form.of == "address" else ""
    return RedirectResponse(at or f"{_PATH}/{form.of}/{wanted}", HTTPStatus.SEE_OTHER)


@endpoint(no_query, EndpointDoc({}), path={"id": digits(1)})
def of_watch(call: RequestContext[Nothing]) -> Response:
    """Show the timeline of a watch."""
    services = call.surfaces.services
    if services.store.watches.get(call.path["id"]) is None:
        raise not_found("watch")
    return _show(call, timeline.of_watch(services, call.path["id"]))


@endpoint(no_query, EndpointDoc({}), path={"id": digits(1)})
def of_notification(call: RequestContext[Nothing]) -> Response:
    """Show the timeline of a notification."""
    services = call.surfaces.services
    if services.store.deliveries.get(call.path["id"]) is None:
        raise not_found("notification")
    return _show(call, timeline.of_notification(services, call.path["id"]))


@endpoint(
    no_query, EndpointDoc({}), path={"source": fields.source, "term": fields.term, "number": fields.section}
)
def of_section(call: RequestContext[Nothing]) -> Response:
    """Show the timeline of a section."""
    services, key = call.surfaces.services, SectionKey(**call.path)
    if services.store.sections.get(key) is None:
        raise not_found("section")
    return _show(call, timeline.of_section(services, key))


@endpoint(query(AddressForm), EndpointDoc({}))
def of_address(call: RequestContext[AddressForm]) -> Response:
    """Show the timeline of an address."""
    return _show(call, timeline.of_address(call.surfaces.services, call.query.email))


def _is_section(wanted: str) -> bool:
    parts = wanted.split("/")
    return len(parts) == _PARTS and not SectionKey(*parts).problems()


def _search(call: RequestContext[FindForm], wanted: str) -> Response:
    """Return the sections that match."""
    response = RedirectResponse(f"/console/sections?{urlencode({'q': wanted})}", HTTPStatus.SEE_OTHER)
    session.set_flash(call, response, _FORM_OF_SECTION)
    return response


def _show(call: RequestContext[Nothing] | RequestContext[AddressForm], found: Timeline) -> Response:
    return page(call, "timeline.html", timeline=found)


ROUTES = (
    readable("/timeline", find),
    readable("/timeline/watch/{id}", of_watch),
    readable("/timeline/notification/{id}", of_notification),
    readable("/timeline/section/{source}/{term}/{number}", of_section),
    readable("/timeline/address", of_address),
)
