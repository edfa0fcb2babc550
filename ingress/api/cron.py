"""`/cron`: trigger and list runs of section checks, and request polls of catalogs."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from msgspec import Struct
from starlette.responses import Response

from actors.poll import SOON_SECONDS, due_terms, poll
from ingress import schemas
from ingress.auth import cron_secret, either
from ingress.endpoint import Answer, Routes, json_response
from ingress.pagination import Page, PageQuery, cursor_of, page
from ingress.problems import not_found
from ingress.request import RequestContext
from ingress.schemas import RequestedPolls, RunStatus, TriggeredRun
from operations.context import BY_CRON, Surface
from operations.inputs import RunId
from operations.operation import execute
from operations.runs import TRIGGER, RunInput, StaggerChoice

RUNS = "runs"
_FOLLOW = {"get_cron_runs_id": ("id", "run_id")}
routes = Routes()


class TriggerQuery(Struct, frozen=True):
    """The sections to check, and whether to repeat a slot that already has a run."""

    stagger: StaggerChoice = StaggerChoice.AUTO
    force: Literal["0", "1"] = "0"


class RunsQuery(PageQuery, frozen=True, kw_only=True):
    """The page of the runs."""

    cursor: Annotated[int | None, cursor_of(RUNS)] = None


class RunPath(Struct, frozen=True):
    """One run."""

    id: RunId


# GET acts here, for cron services that cannot POST; HEAD, which link checkers send, does not.
@routes.add(
    "/cron/section-checks",
    ("GET", "POST"),
    {
        HTTPStatus.ACCEPTED: Answer("The new run.", TriggeredRun, follow=_FOLLOW),
        HTTPStatus.OK: Answer("The existing run of this slot.", TriggeredRun, follow=_FOLLOW),
    },
    secrets=cron_secret,
)
def trigger(request: RequestContext, query: TriggerQuery) -> Response:
    """Check sections, unless this slot already has a run."""
    given = RunInput(query.stagger, force=query.force == "1")
    run, is_new = execute(TRIGGER, request.admin(Surface.API), given, BY_CRON).value
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return json_response(schemas.triggered(run, request.context), status)


@routes.add(
    "/cron/catalog-polls",
    ("GET", "POST"),
    {HTTPStatus.ACCEPTED: Answer("Polls of the due terms were requested.", RequestedPolls)},
    secrets=cron_secret,
)
def request_polls(request: RequestContext) -> Response:
    """Poll the catalogs that are due, where SCHEDULER is off: call it every minute."""
    due = due_terms(request.services, within=timedelta(seconds=SOON_SECONDS))
    if due:
        request.services.publish_or_defer(poll.message(linger_seconds=SOON_SECONDS))
    return json_response(RequestedPolls(due=len(due)), HTTPStatus.ACCEPTED)


@routes.get("/cron/runs", secrets=either)
def list_runs(request: RequestContext, query: RunsQuery) -> Page[RunStatus]:
    """List the runs, newest first."""
    found, position = request.services.store.runs.page(query.cursor, query.limit)
    return page(RUNS, [schemas.run(run, request.context) for run in found], position)


@routes.get("/cron/runs/{id}", secrets=either)
def get_run(request: RequestContext, path: RunPath) -> RunStatus:
    """Get a run."""
    run = request.services.store.runs.get(path.id)
    if run is None:
        raise not_found("run")
    return schemas.run(run, request.context)
