"""`/jobs`: submit, inspect and cancel durable jobs, and fetch their artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from actors.jobs import cancel, submit
from domain.errors import StorageWriteError
from domain.job import JobRecord, JobState
from domain.ports import Storage
from ingress import bodies, schemas
from ingress.auth import api_token
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable, writable
from ingress.fields import job_id, job_kind, json_members, one_of, text, unless_blank, web_address
from ingress.forms import Nothing, no_query, parse, query, schema_of
from ingress.pagination import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.problems import not_found
from ingress.schemas import page_of, ref
from ingress.syntax import json_object

_LISTING = "jobs"
_PATH = {"id": job_id}
_FOLLOW = {"get_jobs_id": ("id", "id"), "post_jobs_id_cancel": ("id", "id")}
_LOCATION = {"Location": {"type": "string", "format": "uri"}}
_ANYTHING = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class JobForm:
    """The body of a job submission."""

    kind: Annotated[str, job_kind]
    input: Annotated[dict[str, Any], json_members]
    idempotency_key: Annotated[str | None, text] = None
    webhook_url: Annotated[str | None, web_address] = None


@dataclass(frozen=True, slots=True)
class JobsForm:
    """The filter and the page of the jobs."""

    kind: Annotated[str | None, unless_blank(job_kind)] = None
    state: Annotated[JobState | None, unless_blank(one_of(JobState))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    no_query,
    EndpointDoc(
        {
            HTTPStatus.ACCEPTED: ResponseDoc("The new job.", ref("Job"), headers=_LOCATION, follow=_FOLLOW),
            HTTPStatus.OK: ResponseDoc(
                "The first job of this key.", ref("Job"), headers=_LOCATION, follow=_FOLLOW
            ),
        }
    ),
    secrets=api_token,
    body=bodies.JSON.of(schema_of(JobForm)),
)
def add(call: RequestContext[Nothing]) -> Response:
    """Ask for a job, unless its idempotency key has had its own."""
    form = parse(JobForm, json_object(call.body))
    job, created = submit(
        call.surfaces.services,
        form.kind,
        form.input,
        idempotency_key=form.idempotency_key,
        webhook_url=form.webhook_url,
    )
    shown = schemas.job(job, call.surfaces)
    status = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    return JSONResponse(shown, status, {"Location": str(shown["status_url"])})


@endpoint(
    query(JobsForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("JobSummary"))}),
    secrets=api_token,
)
def list_all(call: RequestContext[JobsForm]) -> Response:
    """The jobs, newest first."""
    form = call.query
    found, following = call.surfaces.services.store.jobs.page(
        form.cursor, form.limit, kind=form.kind, state=form.state
    )
    return page(_LISTING, [schemas.job_summary(job, call.surfaces) for job in found], following)


@endpoint(
    no_query, EndpointDoc({HTTPStatus.OK: ResponseDoc("The job.", ref("Job"))}), secrets=api_token, path=_PATH
)
def show(call: RequestContext[Nothing]) -> Response:
    """One job with its steps."""
    return JSONResponse(schemas.job(_found(call), call.surfaces))


@endpoint(
    no_query,
    EndpointDoc(
        {
            HTTPStatus.ACCEPTED: ResponseDoc("It will end soon.", ref("Job")),
            HTTPStatus.OK: ResponseDoc("It has ended, perhaps in another way.", ref("Job")),
        }
    ),
    secrets=api_token,
    path=_PATH,
)
def end(call: RequestContext[Nothing]) -> Response:
    """Cancel a job; what it has done is made good where that is possible."""
    job = cancel(call.surfaces.services, call.path["id"])
    if job is None:
        raise not_found("job")
    status = HTTPStatus.OK if job.state.is_final else HTTPStatus.ACCEPTED
    return JSONResponse(schemas.job(job, call.surfaces), status)


@endpoint(
    no_query,
    EndpointDoc(
        {
            HTTPStatus.OK: ResponseDoc("The artifact, of the type that its job gave it.", {}, _ANYTHING),
            HTTPStatus.FOUND: ResponseDoc("Where it can be had for a while.", headers=_LOCATION),
        }
    ),
    secrets=api_token,
    path=_PATH,
)
def artifact(call: RequestContext[Nothing]) -> Response:
    """What a job has made."""
    result = _found(call).result or {}
    key = result.get("artifact")
    if not isinstance(key, str):
        raise not_found("artifact")
    try:
        return _artifact(call.surfaces.storage, key, str(result.get("content_type", _ANYTHING)))
    except StorageWriteError as error:
        raise not_found("artifact") from error


def _artifact(storage: Storage, key: str, content_type: str) -> Response:
    size, address = storage.size(key), storage.address(key)
    if address is not None:
        return RedirectResponse(address, HTTPStatus.FOUND)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{key.rpartition("/")[2]}"',
    }
    return StreamingResponse(storage.stream(key), headers=headers, media_type=content_type)


def _found(call: RequestContext[Nothing]) -> JobRecord:
    job = call.surfaces.services.store.jobs.get(call.path["id"])
    if job is None:
        raise not_found("job")
    return job


ROUTES = (
    readable("/jobs", list_all, POST=add),
    readable("/jobs/{id}", show),
    writable("/jobs/{id}/cancel", POST=end),
    readable("/jobs/{id}/artifact", artifact),
)
