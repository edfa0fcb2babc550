"""Start, cancel and retry durable jobs, and grant credits."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

from msgspec import Meta, Struct

from actors import jobs
from domain.errors import ConflictError, InvalidInputError
from domain.job import JobRecord, JobState, SignalName, WaitingFor
from domain.money import MAX_GRANT, Transfer
from domain.text import format_time, plural
from operations.context import AdminContext, Surface
from operations.inputs import Account, JobId, JobKindName, JsonMembers, Text, WebUrl
from operations.operation import Operation, OperationResult, Option, Plan
from store.audit import AuditEntry
from store.jobs.waits import Signal


class StartInput(Struct, frozen=True):
    """A job to start. The first job of an idempotency key is the only one."""

    kind: JobKindName
    input: JsonMembers
    idempotency_key: Text | None = None
    webhook_url: WebUrl | None = None


class JobInput(Struct, frozen=True):
    """The job."""

    job_id: JobId


class SignalInput(Struct, frozen=True):
    """An answer to a job that waits."""

    job_id: JobId
    preview_version: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Option("The version that you have seen; the current one by default."),
    ] = None
    id: Annotated[Text | None, Option("Answers once, however often it is given; a new one by default.")] = (
        None
    )


class GrantInput(Struct, frozen=True):
    """The grant. Without a key, each call makes a new grant."""

    account: Account
    credits: Annotated[int, Meta(ge=1, le=MAX_GRANT)]
    key: Annotated[Text | None, Option("Grants once, however often it is given; a new one by default.")] = (
        None
    )
    reason: Annotated[Text | None, Option("Why; the ledger shows it.")] = None


def _plan_start(context: AdminContext, given: StartInput) -> Plan:
    jobs.validate(context.services, given.kind, given.input)
    return Plan(f"Start a {given.kind}?", "Start", ("1 new job is queued, unless its key has one.",))


def _start(
    context: AdminContext, given: StartInput, entry: AuditEntry
) -> OperationResult[tuple[JobRecord, bool]]:
    job, is_new = jobs.submit(
        context.services,
        given.kind,
        given.input,
        idempotency_key=given.idempotency_key,
        webhook_url=given.webhook_url,
        entry=entry,
    )
    message = (
        f"Queued the {job.kind} {job.id}." if is_new else f"The key already has the {job.kind} {job.id}."
    )
    return OperationResult(message, (job, is_new), [_row(job)])


def _plan_cancel(context: AdminContext, given: JobInput) -> Plan:
    job = _job(context, given)
    title = f"Cancel the {job.kind} {job.id[:8]}?"
    if job.state.is_final:
        return Plan.nothing(title, f"It is already {job.state}.")
    if job.cancel_requested_at is not None:
        return Plan.nothing(
            title, f"Its cancellation was requested at {format_time(job.cancel_requested_at)}."
        )
    effects = (
        f"{plural(len(job.steps), 'step has', 'steps have')} started; a running step is finished first.",
        "Its effects are undone where that is possible.",
    )
    return Plan(title, "Cancel the job", effects, is_irreversible=True)


def _cancel(context: AdminContext, given: JobInput, entry: AuditEntry) -> OperationResult[JobRecord]:
    job = jobs.cancel(context.services, given.job_id, entry)
    if job is None:
        raise _unknown()
    state = f"is already {job.state}" if job.state.is_final else "will end soon"
    return OperationResult(f"The {job.kind} {job.id} {state}.", job, [_row(job)])


def _plan_signal(name: SignalName, effect: str, context: AdminContext, given: SignalInput) -> Plan:
    job = _job(context, JobInput(given.job_id))
    title = f"{name.capitalize()} the {job.kind} {job.id[:8]}?"
    if (waiting := job.waiting_for) is None:
        return Plan.nothing(title, f"It is {job.state} and waits for no answer.")
    if given.preview_version not in {None, waiting.preview_version}:
        return Plan.nothing(title, f"Version {given.preview_version} is stale.")
    effects = (
        effect,
        _waiting_text(waiting),
    )
    return Plan(title, name.capitalize(), effects, is_irreversible=True)


def _waiting_text(waiting: WaitingFor) -> str:
    until = format_time(waiting.until)
    return f"It waits for a {waiting.kind} until {until} (version {waiting.preview_version})."


def _signal(
    name: SignalName, context: AdminContext, given: SignalInput, entry: AuditEntry
) -> OperationResult[tuple[JobRecord, bool]]:
    version = given.preview_version
    if version is None:
        waiting = _job(context, JobInput(given.job_id)).waiting_for
        if waiting is None:
            raise ConflictError("the job waits for no answer")
        version = waiting.preview_version
    sent = Signal(given.id or uuid4().hex, name, version)
    entry = replace(entry, detail={"preview_version": version, "id": sent.id})
    job, is_new = jobs.signal(context.services, given.job_id, sent, entry)
    verb = f"has the answer {name}" if is_new else "already has this answer"
    return OperationResult(f"The {job.kind} {job.id} {verb}.", (job, is_new), [_row(job)])


def _plan_retry(context: AdminContext, given: JobInput) -> Plan:
    job = _job(context, given)
    title = f"Retry the {job.kind} {job.id[:8]}?"
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        return Plan.nothing(title, f"It is {job.state}; only failed and cancelled jobs can be retried.")
    effects = (
        "1 new job with the same input starts from the first step.",
        "A job is retried only once.",
    )
    return Plan(title, "Retry", effects)


def _retry(
    context: AdminContext, given: JobInput, entry: AuditEntry
) -> OperationResult[tuple[JobRecord, bool]]:
    job, is_new = jobs.retry(context.services, given.job_id, entry)
    verb = "retries" if is_new else "already retries"
    return OperationResult(f"The {job.kind} {job.id} {verb} it.", (job, is_new), [_row(job)])


def _job(context: AdminContext, given: JobInput) -> JobRecord:
    job = context.services.store.jobs.get(given.job_id)
    if job is None:
        raise _unknown()
    return job


def _unknown() -> InvalidInputError:
    return InvalidInputError({"job_id": "there is no such job"})


def _row(job: JobRecord) -> dict[str, Any]:
    return {"id": job.id, "kind": job.kind, "state": job.state.value}


def _plan_grant(_: AdminContext, given: GrantInput) -> Plan:
    amount = plural(given.credits, "credit")
    return Plan(f"Grant {amount} to {given.account}?", "Grant", (f"{given.account} gets {amount}.",))


def _grant(
    context: AdminContext, given: GrantInput, entry: AuditEntry
) -> OperationResult[tuple[Transfer, bool]]:
    key = given.key or uuid4().hex
    detail = {"credits": given.credits, "key": key, "reason": given.reason}
    made, is_new = context.services.store.credits.grant(
        given.account, given.credits, key, entry.at, reason=given.reason, entry=replace(entry, detail=detail)
    )
    amount = plural(given.credits, "credit")
    message = f"Granted {amount} to {given.account}." if is_new else "The key has already granted them."
    return OperationResult(message, (made, is_new), [asdict(made) | {"created": is_new}])


def _subject(given: JobInput) -> str:
    return f"job/{given.job_id}"


START = Operation(
    "job.start",
    "Start a job.",
    StartInput,
    lambda _: "job",
    _plan_start,
    _start,
    detail=lambda given: {"kind": given.kind},
    surfaces=frozenset({Surface.API}),
)
CANCEL = Operation(
    "job.cancel",
    "Cancel the job JOB_ID; its effects are undone where that is possible.",
    JobInput,
    _subject,
    _plan_cancel,
    _cancel,
)
CONFIRM = Operation(
    "job.confirm",
    "Confirm what the job JOB_ID waits for; it continues.",
    SignalInput,
    lambda given: f"job/{given.job_id}",
    partial(_plan_signal, SignalName.CONFIRM, "The job continues with its next phase."),
    partial(_signal, SignalName.CONFIRM),
)
REJECT = Operation(
    "job.reject",
    "Reject what the job JOB_ID waits for; it is cancelled.",
    SignalInput,
    lambda given: f"job/{given.job_id}",
    partial(_plan_signal, SignalName.REJECT, "The job is cancelled, and its effects are undone."),
    partial(_signal, SignalName.REJECT),
)
RETRY = Operation(
    "job.retry",
    "Start the failed or cancelled job JOB_ID again, as a new job.",
    JobInput,
    _subject,
    _plan_retry,
    _retry,
    detail=lambda given: {"of": given.job_id},
)
GRANT = Operation(
    "credit.grant",
    "Grant CREDITS to ACCOUNT.",
    GrantInput,
    lambda given: f"account/{given.account}",
    _plan_grant,
    _grant,
    surfaces=frozenset({Surface.CLI, Surface.API}),
)
