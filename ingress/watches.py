"""`/watches`: who wants to know what."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from starlette.responses import JSONResponse, Response

from ingress import bodies, representation
from ingress.bearer import api_token
from ingress.endpoint import Call, endpoint, readable, writable
from ingress.fields import address, digits, section, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.imports import import_csv
from ingress.pages import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.problems import not_found
from ingress.syntax import json_object
from ingress.wishes import wish_of

_LISTING = "watches"
_ENDED = "ended by the API"
_as_id = digits(1)


@dataclass(frozen=True, slots=True)
class WatchesForm:
    """Which of the living watches, and which page of them."""

    email: Annotated[str | None, unless_blank(address)] = None
    section: Annotated[str | None, unless_blank(section)] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(no_query, secrets=api_token, body=bodies.JSON)
def add(call: Call[Nothing]) -> Response:
    """201 with the new watch, or 200 with the one that there is, brought up to date."""
    services = call.surfaces.services
    wish = wish_of(json_object(call.body), services.sources, call.surfaces.default_source)
    stored, created = services.store.watches.add(wish, services.clock.now())
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    location = {"Location": call.surfaces.address(f"/watches/{stored.id}")}
    return JSONResponse(representation.watch(stored), status, location)


@endpoint(no_query, secrets=api_token, body=bodies.CSV)
def add_many(call: Call[Nothing]) -> Response:
    """What became of each line of a CSV file."""
    surfaces = call.surfaces
    done = import_csv(surfaces.services, call.body, default_source=surfaces.default_source)
    rejected = [{"line": line, "error": error} for line, error in done.rejected]
    return JSONResponse({"created": done.created, "existing": done.existing, "rejected": rejected})


@endpoint(query(WatchesForm), secrets=api_token)
def list_living(call: Call[WatchesForm]) -> Response:
    """The living watches, in the order in which they were made."""
    form = call.query
    found, following = call.surfaces.services.store.watches.page(
        email=form.email, section=form.section, after=form.cursor, limit=form.limit
    )
    return page(_LISTING, map(representation.watch, found), following)


@endpoint(no_query, secrets=api_token)
def show(call: Call[Nothing]) -> Response:
    """One living watch."""
    stored = call.surfaces.services.store.watches.get(_id(call))
    if stored is None or stored.ended_at is not None:
        raise not_found("watch")
    return JSONResponse(representation.watch(stored))


@endpoint(no_query, secrets=api_token)
def end(call: Call[Nothing]) -> Response:
    """204 once the watch has ended."""
    services = call.surfaces.services
    if not services.store.watches.end(_id(call), _ENDED, services.clock.now()):
        raise not_found("living watch")
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _id(call: Call[Nothing]) -> int:
    try:
        return _as_id(call.path["id"])
    except ValueError as error:
        raise not_found("watch") from error


ROUTES = (
    readable("/watches", list_living, POST=add),
    writable("/watches/import", POST=add_many),
    readable("/watches/{id}", show, DELETE=end),
)
