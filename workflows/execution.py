"""Executes one job by id: start, run its workflow, compensate on failure, and store the outcome."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.errors import RollcallError
from domain.job import JobRecord, JobState, JsonObject
from observability.logs import bind_ids
from store.jobs.execution import JobExecution, JobLease
from store.persistence import Pause
from workflows.catalog import JobKinds, OnFailure, compensate_unknown
from workflows.kind import CancelledError, JobContext, JobFailure
from workflows.steps import JobSteps, StepStore, TransientStepStore, retry_until_stored

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Execution:
    """Executes jobs in this process.

    Shape: `executor` is this process' executor name; `announce` takes the id of each ended job, and never
    raises.
    """

    executor: str
    catalog: JobKinds
    services: JobContext
    runs: JobExecution
    keep: StepStore
    pause: Pause
    announce: Callable[[JobRecord], None]

    def run(self, job_id: str) -> None:
        """Run the job from its current state unless it has ended. Raises: InterruptedJobError."""
        with bind_ids(job=job_id):
            hold = self._note(lambda: self.runs.begin(job_id, self.executor, self.services.clock.now()))
            if hold is None:
                return
            _log.info("job begun", extra={"kind": hold.job.kind, "fence": hold.fence})
            self._end(hold, *self._outcome(hold))

    def _outcome(self, hold: JobLease) -> tuple[JsonObject | None, JobFailure | None]:
        job, kind = hold.job, self.catalog.get(hold.job.kind)
        if kind is None:
            failure = JobFailure(f"this version of Rollcall knows no job {job.kind!r}")
            return None, _made_good(
                compensate_unknown, self._steps(hold, TransientStepStore()), job.input, failure
            )
        try:
            given = kind.read(job.input)
        except Exception as error:  # noqa: BLE001 - another release took it in
            failure = JobFailure(_reason(error))
            return None, _made_good(
                kind.on_failure, self._steps(hold, TransientStepStore()), job.input, failure
            )
        steps = self._steps(hold, self.keep)
        try:
            return json.loads(json.dumps(kind.run(steps, given), allow_nan=False)), None
        except CancelledError as error:
            failure = JobFailure(str(error), is_cancelled=True)
        except Exception as error:  # noqa: BLE001 - stored in the job's row
            failure = JobFailure(_reason(error))
        return None, _made_good(kind.on_failure, steps, job.input, failure)

    def _steps(self, hold: JobLease, keep: StepStore) -> JobSteps:
        return JobSteps(hold, self.runs, self.services, keep, self.pause)

    def _end(self, hold: JobLease, result: JsonObject | None, failure: JobFailure | None) -> None:
        state, error = _ending(failure)
        call = None
        if hold.job.webhook_url is not None:
            call = _call(hold.job, state, result, error)
        now = self.services.clock.now()
        self._note(lambda: self.runs.end(hold, state, now, result=result, error=error, call=call))
        _log.info("job ended", extra={"kind": hold.job.kind, "state": state, "error": error})
        self.announce(hold.job)

    def _note(self, access: Callable[[], Any]) -> Any:
        return retry_until_stored(access, self.pause)


def _made_good(
    on_failure: OnFailure | None, steps: JobSteps, given: JsonObject, failure: JobFailure
) -> JobFailure:
    """Compensate the job and return `failure`, extended by the reason when the compensation fails."""
    if on_failure is None:
        return failure
    steps.begin_ending()
    try:
        on_failure(steps, given, failure)
    except Exception as error:  # noqa: BLE001 - stored in the job's row
        reason = f"{failure.reason}; and what was done could not be made good: {_reason(error)}"
        return JobFailure(reason)
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


def _call(job: JobRecord, state: JobState, result: JsonObject | None, error: str | None) -> str:
    """Return the callback payload for the address that the caller gave."""
    told = {"id": job.id, "kind": job.kind, "state": state, "result": result, "error": error}
    return json.dumps({"type": f"job.{state}", "job": told})
