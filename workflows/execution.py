"""Executes one job by id: start, run its workflow, compensate on failure, and store the outcome."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from domain.errors import PermanentError, RollcallError
from domain.job import JobPhase, JobRecord, JobState, JsonObject, WaitEnd, WaitFor
from observability.logs import bind_ids
from store.database import Wait
from store.jobs.execution import JobExecution, JobLease
from workflows.kind import (
    CancelledError,
    Job,
    JobContext,
    JobFailure,
    JobKind,
    JobKinds,
    OnFailure,
    Phase,
)
from workflows.steps import JobSteps, retry_until_stored

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Execution:
    """Executes jobs in this process.

    Shape: `executor` is this process' executor name; `announce` takes each ended job, and never raises.
    """

    executor: str
    kinds: JobKinds
    services: JobContext
    runs: JobExecution
    pause: Wait
    announce: Callable[[JobRecord], None]
    resume: Callable[[JobRecord], None] = lambda _: None

    def run(self, job_id: str, phase: int = 0) -> None:
        """Run a phase of the job from its current state unless it has ended. Raises: InterruptedJobError."""
        now = self.services.clock.now()
        with bind_ids(job_id=job_id):
            lease = self._store(lambda: self.runs.begin(job_id, self.executor, now, phase))
            if lease is None:
                return
            _log.info("job begun", extra={"kind": lease.job.kind, "fence": lease.fence})
            result, failure = self._outcome(lease)
            if isinstance(result, WaitFor):
                self._park(lease, result)
            else:
                self._end(lease, result, failure)

    def _outcome(self, lease: JobLease) -> tuple[JsonObject | WaitFor | None, JobFailure | None]:
        job, kind = lease.job, self.kinds.get(lease.job.kind)
        steps = JobSteps(lease, self.runs, self.services, self.pause)
        try:
            return _result(kind, steps, job), None
        except CancelledError as error:
            failure = JobFailure(str(error), is_cancelled=True)
        except Exception as error:  # noqa: BLE001 - stored in the job's row
            failure = JobFailure(_reason(error))
        on_failure = self._compensate_unknown if kind is None else kind.on_failure
        return None, _compensated(on_failure, steps, job.input, failure)

    def _park(self, lease: JobLease, wait: WaitFor) -> None:
        now = self.services.clock.now()
        has_signal = self._store(lambda: self.runs.park(lease, wait, now))
        _log.info("job parked", extra={"kind": lease.job.kind, "waiting_for": wait.kind})
        if has_signal:
            self.resume(lease.job)

    def _compensate_unknown(self, job: Job, payload: JsonObject, failure: JobFailure) -> None:
        """Run every compensation; each checks whether it applies, for the kind may be of another release."""
        with ExitStack() as every:
            for kind in self.kinds.values():
                if kind.on_failure is not None:
                    every.callback(kind.on_failure, job, payload, failure)

    def _end(self, lease: JobLease, result: JsonObject | None, failure: JobFailure | None) -> None:
        job, (state, error) = lease.job, _ending(failure)
        callback = None if job.webhook_url is None else _callback(job, state, result, error)
        now = self.services.clock.now()
        self._store(lambda: self.runs.end(lease, state, now, result=result, error=error, callback=callback))
        _log.info("job ended", extra={"kind": job.kind, "state": state, "error": error})
        self.announce(job)

    def _store(self, access: Callable[[], T]) -> T:
        return retry_until_stored(access, self.pause)


def _result(kind: JobKind[Any] | None, steps: JobSteps, job: JobRecord) -> JsonObject | WaitFor:
    if (reason := _UNCONFIRMED.get(job.phase.ended_by)) is not None:
        raise CancelledError(reason)
    if kind is None:
        raise PermanentError(f"this version of Rollcall knows no job {job.kind!r}")
    run = kind.run if job.phase.number == 0 else _phase(kind, job.phase).run
    result = run(steps, kind.read(job.input))
    if not isinstance(result, WaitFor):
        return _plain(result)
    if result.phase not in kind.phases:
        raise PermanentError(f"the job kind {kind.name!r} has no phase {result.phase!r}")
    return replace(result, state=_plain(result.state))


_UNCONFIRMED: Mapping[WaitEnd | None, str] = {
    WaitEnd.REJECT: "it was rejected",
    WaitEnd.TIMEOUT: "it had no answer within its time limit",
    WaitEnd.CANCEL: "it was cancelled",
}


def _phase(kind: JobKind[Any], due: JobPhase) -> Phase[Any]:
    phase = kind.phases.get(due.name or "")
    if phase is None:
        raise PermanentError(f"this version of Rollcall knows no phase {due.name!r} of {kind.name!r}")
    if due.version not in phase.versions:
        raise PermanentError(
            f"this version of Rollcall cannot read version {due.version} of the phase {due.name!r}"
        )
    return phase


def _plain(value: JsonObject) -> JsonObject:
    """Return `value` as it is stored: JSON."""
    plain: JsonObject = json.loads(json.dumps(value, allow_nan=False))
    return plain


def _compensated(
    on_failure: OnFailure | None, steps: JobSteps, payload: JsonObject, failure: JobFailure
) -> JobFailure:
    """Compensate the job and return `failure`, extended by the reason when the compensation fails."""
    if on_failure is None:
        return failure
    steps.begin_compensation()
    try:
        on_failure(steps, payload, failure)
    except Exception as error:  # noqa: BLE001 - stored in the job's row
        return JobFailure(f"{failure.reason}; and it could not be compensated: {_reason(error)}")
    return failure


def _reason(error: Exception) -> str:
    if isinstance(error, RollcallError):
        return str(error) or type(error).__name__
    _log.error("a workflow broke", exc_info=error)
    return f"an error in Rollcall itself ({type(error).__name__}: {error})"


def _ending(failure: JobFailure | None) -> tuple[JobState, str | None]:
    if failure is None:
        return JobState.SUCCEEDED, None
    return JobState.CANCELLED if failure.is_cancelled else JobState.FAILED, failure.reason


def _callback(job: JobRecord, state: JobState, result: JsonObject | None, error: str | None) -> str:
    """Return the body for the caller's webhook URL."""
    ended = {"id": job.id, "kind": job.kind, "state": state, "result": result, "error": error}
    return json.dumps({"type": f"job.{state}", "job": ended})
