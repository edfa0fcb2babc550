"""Cancel and retry durable jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.errors import InvalidInputError
from domain.job import JobRecord, JobState
from ingress import fields
from ingress.console.actions import Operation
from ingress.console.formatting import moment, plural
from ingress.console.plan import Plan
from operations import jobs
from operations.operation import AdminContext


@dataclass(frozen=True, slots=True)
class JobForm:
    """The job."""

    job_id: Annotated[str, fields.job_id]


def _plan_cancel(room: AdminContext, form: JobForm) -> Plan:
    job = _job(room, form)
    title = f"Cancel the {job.kind} {job.id[:8]}?"
    if job.state.is_final:
        return Plan(title, "", (f"It is {job.state} already; there is nothing to do.",))
    if job.cancel_requested_at is not None:
        since = f"It is being cancelled since {moment(job.cancel_requested_at)} UTC; there is nothing to do."
        return Plan(title, "", (since,))
    effects = (
        f"{plural(len(job.steps), 'step has', 'steps have')} begun; one at work is finished first.",
        "What it has done is made good where that is possible.",
    )
    return Plan(title, "Cancel the job", effects, is_grave=True)


def _cancel(room: AdminContext, form: JobForm, by: str) -> str:
    job = jobs.cancel(room.services, form.job_id, by)
    outcome = f"is {job.state} already" if job.state.is_final else "will end soon"
    return f"The {job.kind} {job.id[:8]} {outcome}."


def _plan_retry(room: AdminContext, form: JobForm) -> Plan:
    job = _job(room, form)
    title = f"Retry the {job.kind} {job.id[:8]}?"
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        return Plan(title, "", (f"It is {job.state}: only what failed or was cancelled is tried again.",))
    effects = (
        "1 new job of the same input begins from the first step.",
        "A job that was retried already is not begun once more.",
    )
    return Plan(title, "Retry", effects)


def _retry(room: AdminContext, form: JobForm, by: str) -> str:
    job, is_new = jobs.retry(room.services, form.job_id, by)
    return f"The {job.kind} {job.id[:8]} does it again{'' if is_new else ' already'}."


def _job(room: AdminContext, form: JobForm) -> JobRecord:
    job = room.services.store.jobs.get(form.job_id)
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    return job


ACTIONS = (
    Operation("job-cancel", JobForm, _plan_cancel, _cancel),
    Operation("job-retry", JobForm, _plan_retry, _retry),
)
