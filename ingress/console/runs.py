"""`/console/runs`: what was checked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from starlette.responses import Response

from ingress.console.page import page
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import run_id
from ingress.forms import Nothing, no_query, query
from ingress.manual import EndpointDoc
from ingress.pages import cursor, cursor_of
from ingress.problems import not_found

_LISTING = "runs"
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RunsForm:
    """Which page of the runs."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(RunsForm), EndpointDoc({}))
def show_all(call: RequestContext[RunsForm]) -> Response:
    """The runs, newest first."""
    runs, following = call.surfaces.services.store.runs.page(call.query.cursor, _SHOWN)
    return page(call, "runs.html", runs=runs, older=cursor(_LISTING, following))


@endpoint(no_query, EndpointDoc({}), path={"id": run_id})
def show_one(call: RequestContext[Nothing]) -> Response:
    """One run."""
    run = call.surfaces.services.store.runs.get(call.path["id"])
    if run is None:
        raise not_found("run")
    return page(call, "run.html", run=run)


ROUTES = (readable("/runs", show_all), readable("/runs/{id}", show_one))
