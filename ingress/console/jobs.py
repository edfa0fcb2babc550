"""`/console/jobs`: durable jobs, their progress and results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from msgspec import Struct
from starlette.responses import Response

from domain.job import JobRecord, JobState, JsonObject
from ingress.api.jobs import JobPath, get_artifact
from ingress.console.layout import page
from ingress.console.session import signed_in
from ingress.endpoint import Routes
from ingress.pagination import cursor_of, next_cursor
from ingress.problems import not_found
from ingress.request import RequestContext
from operations.access import record_download
from operations.inputs import JobKindName

_LISTING = "jobs"
_SHOWN = 50
routes = Routes()


class JobsQuery(Struct, frozen=True):
    """The filter and the page of the jobs."""

    kind: JobKindName | None = None
    state: JobState | None = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@routes.get("/jobs")
def show_all(request: RequestContext, query: JobsQuery) -> Response:
    """List the jobs, newest first, and count them by state."""
    services = request.services
    found, following = services.store.jobs.page(query.cursor, _SHOWN, kind=query.kind, state=query.state)
    counts = services.store.jobs.counts()
    return page(
        request,
        "jobs.html",
        found=found,
        attempts=services.store.jobs.attempts([job.id for job in found]),
        form=query,
        kinds=sorted({*services.jobs.kinds, *(kind for kind, _ in counts)}),
        counts=_by_state(counts, query.kind),
        filters=urlencode({"kind": query.kind or "", "state": query.state or ""}),
        older=next_cursor(_LISTING, following),
    )


@routes.get("/jobs/{id}")
def show_one(request: RequestContext, path: JobPath) -> Response:
    """Show one job with its steps and its callback."""
    store = request.services.store
    job = store.jobs.get(path.id)
    if job is None:
        raise not_found("job")
    return page(
        request,
        "job.html",
        job=job,
        given=_written(job.input),
        result=None if job.result is None else _written(job.result),
        has_artifact=_has_artifact(job),
        # The rest of the URL may be a secret.
        caller=job.webhook_url and urlsplit(job.webhook_url).hostname,
        callback=store.job_callbacks.get(job.id),
    )


@routes.get("/jobs/{id}/artifact")
def download(request: RequestContext, path: JobPath) -> Response:
    """Return the artifact of a job."""
    job = request.services.store.jobs.get(path.id)
    if job is not None and _has_artifact(job):
        record_download(request.services, signed_in(request).by, f"job/{job.id}")
    return get_artifact(request, path)


def _has_artifact(job: JobRecord) -> bool:
    return job.result is not None and "artifact" in job.result


def _by_state(counts: Mapping[tuple[str, JobState], int], kind: str | None) -> dict[JobState, int]:
    return {
        state: sum(n for (of, each), n in counts.items() if each == state and kind in {None, of})
        for state in JobState
    }


def _written(value: JsonObject) -> str:
    # ASCII only: a caller's text may hold lone surrogates and bidirectional control characters.
    return json.dumps(value, indent=2)
