"""`/watches`, `/sections` and `/notifications`: watches, section history and notification delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from starlette.responses import JSONResponse, Response

from domain.notification import NotificationState
from domain.section import SectionKey
from ingress import bodies, fields, schemas
from ingress.auth import api_token
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable, writable
from ingress.fields import address, digits, length, one_of, section, text, unless_blank
from ingress.forms import Nothing, no_query, parse, query, schema_of
from ingress.imports import import_csv
from ingress.pagination import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.problems import not_found
from ingress.schemas import page_of, ref
from ingress.syntax import json_object
from ingress.wishes import WatchForm, wish_of
from operations import watches as operations
from operations.first_look import first_look
from store.watches import StoredWatch

_LISTING = "watches"
_ENDED = "ended by the API"
_API = "the API"
_PATH = {"id": digits(1)}
_OPERATIONS = ("get_watches_id", "delete_watches_id", "post_watches_id_pause", "post_watches_id_resume")
_FOLLOW = dict.fromkeys(_OPERATIONS, ("id", "id"))
_LOCATION = {"Location": {"type": "string", "format": "uri"}}
_SHEET = {
    "type": "string",
    "description": (
        "A header line and at most 10,000 lines under it, parted by commas, semicolons or tabs, in UTF-8,"
        " UTF-16 or Windows-1252; kinds are parted by | or spaces. Where one source is configured, the column"
        " source may be missing."
    ),
    "examples": ["email,source,term,section,kinds,min_seats\nada@example.edu,,2261,12431,seat_available,2\n"],
}


@dataclass(frozen=True, slots=True)
class WatchesForm:
    """The filter and the page of the active watches."""

    email: Annotated[str | None, unless_blank(address)] = None
    section: Annotated[str | None, unless_blank(section)] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class PauseForm:
    """The length of the pause."""

    for_: Annotated[timedelta, length]


@endpoint(
    no_query,
    EndpointDoc(
        {
            HTTPStatus.CREATED: ResponseDoc(
                "The new watch.", ref("Watch"), headers=_LOCATION, follow=_FOLLOW
            ),
            HTTPStatus.OK: ResponseDoc(
                "The watch that there is, brought up to date.",
                ref("Watch"),
                headers=_LOCATION,
                follow=_FOLLOW,
            ),
        }
    ),
    secrets=api_token,
    body=bodies.JSON.of(schema_of(WatchForm)),
)
def add(call: RequestContext[Nothing]) -> Response:
    """Watch a section, or bring up to date the watch that there is."""
    services = call.surfaces.services
    wish = wish_of(json_object(call.body), services.sources, call.surfaces.default_source)
    stored, created = services.store.watches.add(wish, services.clock.now())
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    location = {"Location": call.surfaces.address(f"/watches/{stored.id}")}
    return JSONResponse(schemas.watch(stored, first_look(services, stored)), status, location)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("What became of each line.", ref("Imported"))}),
    secrets=api_token,
    body=bodies.CSV.of(_SHEET),
)
def add_many(call: RequestContext[Nothing]) -> Response:
    """Make the watches that a CSV file names."""
    surfaces = call.surfaces
    done = import_csv(surfaces.services, call.body, default_source=surfaces.default_source, by=_API)
    rejected = [{"line": line, "error": error} for line, error in done.rejected]
    return JSONResponse({"created": done.created, "existing": done.existing, "rejected": rejected})


@endpoint(
    query(WatchesForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("Watch"))}),
    secrets=api_token,
)
def list_active(call: RequestContext[WatchesForm]) -> Response:
    """The living watches, in the order in which they were made."""
    form = call.query
    found, following = call.surfaces.services.store.watches.page(
        email=form.email, section=form.section, after=form.cursor, limit=form.limit
    )
    return page(_LISTING, map(schemas.watch, found), following)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The watch.", ref("Watch"))}),
    secrets=api_token,
    path=_PATH,
)
def show(call: RequestContext[Nothing]) -> Response:
    """One living watch."""
    return JSONResponse(schemas.watch(_require_active(call)))


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.NO_CONTENT: ResponseDoc("It has ended.")}),
    secrets=api_token,
    path=_PATH,
)
def end(call: RequestContext[Nothing]) -> Response:
    """End a watch."""
    services = call.surfaces.services
    if not services.store.watches.end(call.path["id"], _ENDED, services.clock.now()):
        raise not_found("living watch")
    return Response(status_code=HTTPStatus.NO_CONTENT)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The watch, paused.", ref("Watch"))}),
    secrets=api_token,
    body=bodies.JSON.of(schema_of(PauseForm)),
    path=_PATH,
)
def pause(call: RequestContext[Nothing]) -> Response:
    """Send nothing for a watch for a while; what opens meanwhile is not sent later."""
    form, services = parse(PauseForm, json_object(call.body)), call.surfaces.services
    _require_active(call)
    return JSONResponse(schemas.watch(operations.pause(services, call.path["id"], form.for_, _API)))


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The watch.", ref("Watch"))}),
    secrets=api_token,
    body=bodies.ANYTHING.of({}),
    path=_PATH,
)
def resume(call: RequestContext[Nothing]) -> Response:
    """Send for a watch again, from now on."""
    _require_active(call)
    return JSONResponse(schemas.watch(operations.resume(call.surfaces.services, call.path["id"], _API)))


def _require_active(call: RequestContext[Nothing]) -> StoredWatch:
    stored = call.surfaces.services.store.watches.get(call.path["id"])
    if stored is None or stored.ended_at is not None:
        raise not_found("active watch")
    return stored


_SECTION_LISTING = "sections"


@dataclass(frozen=True, slots=True)
class SectionsForm:
    """The filter and the page of the sections."""

    source: Annotated[str | None, unless_blank(fields.source)] = None
    term: Annotated[str | None, unless_blank(fields.term)] = None
    q: Annotated[str | None, unless_blank(text)] = None
    cursor: Annotated[int | None, cursor_of(_SECTION_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    query(SectionsForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("SectionSummary"))}),
    secrets=api_token,
)
def list_sections(call: RequestContext[SectionsForm]) -> Response:
    """The sections that were ever watched; `q` is how a number begins, or a part of a course or title."""
    form = call.query
    found, following = call.surfaces.services.store.search.sections(
        (form.q or "").strip(), source=form.source, term=form.term, after=form.cursor, limit=form.limit
    )
    return page(_SECTION_LISTING, map(schemas.section_summary, found), following)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The section.", ref("Section"))}),
    secrets=api_token,
    path={"source": fields.source, "term": fields.term, "number": fields.section},
)
def show_section(call: RequestContext[Nothing]) -> Response:
    """One section's state and history."""
    key = SectionKey(**call.path)
    sections = call.surfaces.services.store.sections
    state = sections.get(key)
    if state is None:
        raise not_found("section")
    return JSONResponse(schemas.section(state, sections.history(key)))


_NOTIFICATION_LISTING = "notifications"


@dataclass(frozen=True, slots=True)
class NotificationsForm:
    """The filter and the page of the notifications."""

    watch_id: Annotated[int | None, unless_blank(digits(1))] = None
    email: Annotated[str | None, unless_blank(address)] = None
    state: Annotated[NotificationState | None, unless_blank(one_of(NotificationState))] = None
    cursor: Annotated[int | None, cursor_of(_NOTIFICATION_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    query(NotificationsForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("Notification"))}),
    secrets=api_token,
)
def list_notifications(call: RequestContext[NotificationsForm]) -> Response:
    """The notifications, newest first."""
    form = call.query
    found, following = call.surfaces.services.store.deliveries.page(
        watch_id=form.watch_id,
        state=form.state,
        email=form.email,
        before=form.cursor,
        limit=form.limit,
    )
    return page(_NOTIFICATION_LISTING, map(schemas.notification, found), following)


ROUTES = (
    readable("/watches", list_active, POST=add),
    writable("/watches/import", POST=add_many),
    readable("/watches/{id}", show, DELETE=end),
    writable("/watches/{id}/pause", POST=pause),
    writable("/watches/{id}/resume", POST=resume),
    readable("/sections", list_sections),
    readable("/sections/{source}/{term}/{number}", show_section),
    readable("/notifications", list_notifications),
)
