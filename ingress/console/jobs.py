"""`/console/jobs`: durable jobs, their progress and results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

from domain.job import JobState, JsonObject
from ingress.api import jobs
from ingress.console.layout import page
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import job_id, job_kind, one_of, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.pagination import cursor, cursor_of
from ingress.problems import not_found

_LISTING = "jobs"
_SHOWN = 50
_PATH = {"id": job_id}


@dataclass(frozen=True, slots=True)
class JobsForm:
    """The filter and the page of the jobs."""

    kind: Annotated[str | None, unless_blank(job_kind)] = None
    state: Annotated[JobState | None, unless_blank(one_of(JobState))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(JobsForm), EndpointDoc({}))
def show_all(call: RequestContext[JobsForm]) -> Response:
    """List the jobs, newest first, and count them by state."""
    form, services = call.query, call.surfaces.services
    found, following = services.store.jobs.page(form.cursor, _SHOWN, kind=form.kind, state=form.state)
    counts = services.store.jobs.counts()
    return page(
        call,
        "jobs.html",
        found=found,
        attempts=services.store.jobs.attempts([job.id for job in found]),
        form=form,
        kinds=sorted({*services.jobs.catalog, *(kind for kind, _ in counts)}),
        counts=_by_state(counts, form.kind),
        filters=urlencode({"kind": form.kind or "", "state": form.state or ""}),
        older=cursor(_LISTING, following),
    )


@endpoint(no_query, EndpointDoc({}), path=_PATH)
def show_one(call: RequestContext[Nothing]) -> Response:
    """Show one job with its steps and its callback."""
    store = call.surfaces.services.store
    job = store.jobs.get(call.path["id"])
    if job is None:
        raise not_found("job")
    return page(
        call,
        "job.html",
        job=job,
        given=_written(job.input),
        result=None if job.result is None else _written(job.result),
        has_artifact=job.result is not None and "artifact" in job.result,
        # The rest of the URL may be a secret.
        caller=job.webhook_url and urlsplit(job.webhook_url).hostname,
        told=store.job_callbacks.get(job.id),
    )


def _by_state(counts: Mapping[tuple[str, JobState], int], kind: str | None) -> dict[JobState, int]:
    return {
        state: sum(n for (of, each), n in counts.items() if each == state and kind in {None, of})
        for state in JobState
    }


def _written(value: JsonObject) -> str:
    # ASCII only: a caller's text may hold lone surrogates and bidirectional control characters.
    return json.dumps(value, indent=2)


ROUTES = (
    readable("/jobs", show_all),
    readable("/jobs/{id}", show_one),
    readable("/jobs/{id}/artifact", endpoint(no_query, EndpointDoc({}), path=_PATH)(jobs.artifact.handler)),
)
