"""`/jobs`: submit, inspect and cancel durable jobs, and fetch their artifacts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.responses import RedirectResponse, Response, StreamingResponse

from domain.errors import ConflictError, ObjectNotFoundError
from domain.job import JobRecord, JobState, SignalName
from domain.ports import Storage
from ingress import schemas
from ingress.auth import api_token
from ingress.endpoint import Answer, Routes, json_response
from ingress.pagination import Page, PageQuery, cursor_of, page
from ingress.problems import ProblemError, not_found
from ingress.request import RequestContext
from ingress.schemas import Job, JobSummary, Problem, Url
from operations.context import BY_API, Surface
from operations.inputs import JobId, JobKindName, Text
from operations.jobs import CANCEL, CONFIRM, REJECT, START, JobInput, SignalInput, StartInput
from operations.operation import execute

JOBS = "jobs"
_FOLLOW = {"get_jobs_id": ("id", "id"), "post_jobs_id_cancel": ("id", "id")}
_LOCATION = {"Location": Url}
_PROBLEM = "application/problem+json"
_BINARY = "application/octet-stream"
routes = Routes()


class JobPath(Struct, frozen=True):
    """One job."""

    id: JobId


class JobsQuery(PageQuery, frozen=True, kw_only=True):
    """The filter and the page of the jobs."""

    kind: JobKindName | None = None
    state: JobState | None = None
    cursor: Annotated[int | None, cursor_of(JOBS)] = None


@routes.get("/jobs", secrets=api_token)
def list_jobs(request: RequestContext, query: JobsQuery) -> Page[JobSummary]:
    """List the jobs, newest first."""
    found, position = request.services.store.jobs.page(
        query.cursor, query.limit, kind=query.kind, state=query.state
    )
    return page(JOBS, [schemas.job_summary(job, request.context) for job in found], position)


@routes.post(
    "/jobs",
    {
        HTTPStatus.ACCEPTED: Answer("The new job.", Job, headers=_LOCATION, follow=_FOLLOW),
        HTTPStatus.OK: Answer("The first job of this key.", Job, headers=_LOCATION, follow=_FOLLOW),
    },
    secrets=api_token,
)
def submit_job(request: RequestContext, body: StartInput) -> Response:
    """Submit a job, once for each idempotency key."""
    job, is_new = execute(START, request.admin(Surface.API), body, BY_API).value
    shown = schemas.job(job, request.context)
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return json_response(shown, status, {"Location": shown.status_url})


@routes.get("/jobs/{id}", secrets=api_token)
def get_job(request: RequestContext, path: JobPath) -> Job:
    """Get a job with its steps."""
    return schemas.job(_require_job(request, path), request.context)


@routes.post(
    "/jobs/{id}/cancel",
    {
        HTTPStatus.ACCEPTED: Answer("It will end soon.", Job),
        HTTPStatus.OK: Answer("It has already ended.", Job),
    },
    secrets=api_token,
)
def cancel_job(request: RequestContext, path: JobPath) -> Response:
    """Cancel a job; its effects are compensated where possible."""
    _require_job(request, path)
    job = execute(CANCEL, request.admin(Surface.API), JobInput(path.id), BY_API).value
    status = HTTPStatus.OK if job.state.is_final else HTTPStatus.ACCEPTED
    return json_response(schemas.job(job, request.context), status)


class SignalBody(Struct, frozen=True):
    """A person's answer. The first signal of an id is the only one."""

    name: SignalName
    preview_version: Annotated[int, Meta(ge=1)]
    id: Text


@routes.post(
    "/jobs/{id}/signals",
    {
        HTTPStatus.ACCEPTED: Answer("The job has the answer.", Job),
        HTTPStatus.OK: Answer("The job already had the signal of this id.", Job),
        HTTPStatus.CONFLICT: Answer("The version is stale, or the job takes no signal.", Problem, _PROBLEM),
    },
    secrets=api_token,
)
def signal_job(request: RequestContext, path: JobPath, body: SignalBody) -> Response:
    """Answer a job that waits for a person; an answer before the wait is kept for it."""
    _require_job(request, path)
    operation = CONFIRM if body.name is SignalName.CONFIRM else REJECT
    given = SignalInput(path.id, body.preview_version, body.id)
    try:
        job, is_new = execute(operation, request.admin(Surface.API), given, BY_API).value
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return json_response(schemas.job(job, request.context), status)


@routes.get(
    "/jobs/{id}/artifact",
    {
        HTTPStatus.OK: Answer("The artifact, with the media type that its job set.", Any, _BINARY),
        HTTPStatus.FOUND: Answer("A temporary URL of the artifact.", headers=_LOCATION),
    },
    secrets=api_token,
)
def get_artifact(request: RequestContext, path: JobPath) -> Response:
    """Get the artifact of a job."""
    result = _require_job(request, path).result or {}
    key = result.get("artifact")
    if not isinstance(key, str):
        raise not_found("artifact")
    try:
        return _artifact(request.context.storage, key, str(result.get("content_type", _BINARY)))
    except ObjectNotFoundError as error:
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


def _require_job(request: RequestContext, path: JobPath) -> JobRecord:
    job = request.services.store.jobs.get(path.id)
    if job is None:
        raise not_found("job")
    return job
