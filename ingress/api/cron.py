"""`/cron`: trigger and list runs of section checks."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from starlette.responses import JSONResponse, Response

from actors.dispatch import trigger_run
from domain.section import Stagger
from ingress import schemas
from ingress.auth import cron_secret, either
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable, writable
from ingress.fields import one_of, run_id
from ingress.forms import Nothing, no_query, query
from ingress.pagination import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.problems import not_found
from ingress.schemas import page_of, ref

_AUTO = "auto"
_LISTING = "runs"
_FOLLOW = {"get_cron_runs_id": ("id", "run_id")}


@dataclass(frozen=True, slots=True)
class TriggerForm:
    """The half to check, and whether to repeat a slot that had its run."""

    stagger: Annotated[str, one_of((_AUTO, *Stagger))] = _AUTO
    force: Annotated[str, one_of(("0", "1"))] = "0"


@dataclass(frozen=True, slots=True)
class RunsForm:
    """The page of the runs."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    query(TriggerForm),
    EndpointDoc(
        {
            HTTPStatus.ACCEPTED: ResponseDoc("The new run.", ref("TriggeredRun"), follow=_FOLLOW),
            HTTPStatus.OK: ResponseDoc(
                "The run that this slot has had.", ref("TriggeredRun"), follow=_FOLLOW
            ),
        }
    ),
    secrets=cron_secret,
)
def trigger(call: RequestContext[TriggerForm]) -> Response:
    """Check sections, unless this slot has had its run."""
    stagger = None if call.query.stagger == _AUTO else Stagger(call.query.stagger)
    run, created = trigger_run(call.surfaces.services, "http", stagger, force=call.query.force == "1")
    status = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    return JSONResponse(schemas.triggered(run, call.surfaces), status)


@endpoint(
    query(RunsForm), EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("Run"))}), secrets=either
)
def list_runs(call: RequestContext[RunsForm]) -> Response:
    """The runs, newest first."""
    runs, following = call.surfaces.services.store.runs.page(call.query.cursor, call.query.limit)
    return page(_LISTING, [schemas.run(run, call.surfaces) for run in runs], following)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The run.", ref("Run"))}),
    secrets=either,
    path={"id": run_id},
)
def show_run(call: RequestContext[Nothing]) -> Response:
    """One run."""
    run = call.surfaces.services.store.runs.get(call.path["id"])
    if run is None:
        raise not_found("run")
    return JSONResponse(schemas.run(run, call.surfaces))


ROUTES = (
    # GET acts here, for cron services that cannot POST; HEAD, which link checkers send, does not.
    writable("/cron/section-checks", GET=trigger, POST=trigger),
    readable("/cron/runs", list_runs),
    readable("/cron/runs/{id}", show_run),
)
