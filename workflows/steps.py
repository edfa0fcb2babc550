"""Durable steps of a job: retried after transient errors, and stopped on cancellation.

An attempt either returns or raises; one that a breaker refuses does not count. Writes that a job depends on
are retried until the database answers or the process stops.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

from domain.errors import PermanentError, RollcallError, TransientError
from domain.job import Progress, StepState
from resilience.breaker import CircuitBreakerError
from store.jobs.execution import JobExecution, JobLease, JobLostError, JobStatus
from store.persistence import OUTAGES, Pause
from store.persistence import retry_during_outage as repeated
from workflows.kind import MAX_ATTEMPTS, CancelledError, JobContext, StepFailedError

T = TypeVar("T")
_log = logging.getLogger(__name__)


class PausedError(TransientError):
    """The upstream is paused: the attempt was not made."""


class StepError(PermanentError):
    """The step failed with an unexpected error: a defect in Rollcall."""


def attempt_step(work: Callable[[], object]) -> Any:
    """Return the result of `work` after a round trip through JSON, as a repetition would see it.

    Raises: TransientError; PermanentError for everything else.
    """
    try:
        return json.loads(json.dumps(work(), allow_nan=False))
    except RollcallError:
        raise
    except OUTAGES as error:
        raise TransientError("the database is away") from error
    except Exception as error:
        _log.exception("a step broke")
        raise StepError(f"an error in Rollcall itself ({type(error).__name__}: {error})") from error


class InterruptedJobError(BaseException):
    """The process stops or has lost the job: store nothing of the work in progress.

    It is not an Exception, so that neither a workflow nor DBOS treats it as a failure of the step.
    """


def retry_until_stored(access: Callable[[], T], pause: Pause) -> T:
    """Return the result of `access` as soon as the database answers.

    Raises: InterruptedJobError when the process stops first, or another process has the job now.
    """
    try:
        return repeated(access, pause)
    except JobLostError as lost:
        _log.warning("lost", extra={"error": str(lost)})
        raise InterruptedJobError from lost
    except OUTAGES as error:
        raise InterruptedJobError from error


CRASH_BUDGET = 25
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 2.0, 300.0
_LONGEST_WAIT_SECONDS = 3600.0  # caps the wait that an upstream asks for: a job keeps its slot
_ASK_AGAIN_SECONDS = 15.0  # wait for a breaker: an operator may close it in the meantime
_LOOK_SECONDS = 1.0  # how soon a waiting job sees its cancellation
Outcome = dict[str, Any]
"""How a step ended: {"value": …}, {"failed": reason, "spent": bool} or {"cancelled": True}."""


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    work: Callable[[], object]
    attempts: int
    must_finish: bool = False


class StepStore(Protocol):
    """Makes a step durable."""

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:
        """Return the stored outcome of the step; without one, run `work` and store its outcome first."""

    def is_changed(self, change: str) -> bool:
        """Return whether the new code applies; the answer is stored."""


class TransientStepStore:
    """Stores nothing, so that a crash repeats every step.

    It is for a job that this release cannot parse: its stored steps belong to another workflow.
    """

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:  # noqa: ARG002 - as `StepStore` has it
        """Return the outcome of `work`."""
        return work()

    def is_changed(self, change: str) -> bool:  # noqa: ARG002 - as `StepStore` has it
        """Return True: no step ran with the old code."""
        return True


class JobSteps:
    """The `Job` that a workflow receives."""

    def __init__(
        self, hold: JobLease, runs: JobExecution, services: JobContext, keep: StepStore, pause: Pause
    ) -> None:
        self._hold = hold
        self._runs = runs
        self._services = services
        self._keep = keep
        self._pause = pause
        self._is_ending = False

    @property
    def id(self) -> str:
        """The job's id."""
        return self._hold.job.id

    @property
    def services(self) -> JobContext:
        """The ports to the outside."""
        return self._services

    def step(
        self,
        name: str,
        work: Callable[[], T],
        *,
        attempts: int = MAX_ATTEMPTS,
        must_finish: bool = False,
    ) -> T:
        """Run `work` durably: see `workflows.kind.Job`."""
        outcome = self._keep(name, lambda: self._try(_Step(name, work, attempts, must_finish)))
        if "value" in outcome:
            return cast("T", outcome["value"])
        if "cancelled" in outcome:
            raise CancelledError("it was cancelled")
        raise (
            StepFailedError(name, outcome["failed"])
            if outcome["spent"]
            else PermanentError(outcome["failed"])
        )

    def tell(self, done: int, total: int, message: str) -> None:
        """Report the job's progress, for people."""
        self._note(lambda: self._runs.tell(self._hold, Progress(done, total, message)))

    def is_changed(self, change: str) -> bool:
        """Return whether the new code applies: see `workflows.kind.Job`."""
        return self._keep.is_changed(change)

    def begin_ending(self) -> None:
        """Begin the compensation, which cannot be cancelled."""
        self._is_ending = True

    def _try(self, step: _Step) -> Outcome:
        while True:
            standing = self._stand(step.name)
            outcome = self._forestalled(step, standing) or self._attempt(step, standing.failures)
            if outcome is not None:
                return outcome

    def _forestalled(self, step: _Step, standing: JobStatus) -> Outcome | None:
        """Return how the step ends without another attempt, or None."""
        name = step.name
        if self._is_cancelled(step, standing) and not standing.is_done:
            return self._settled(name, StepState.CANCELLED, {"cancelled": True})
        if standing.crashes >= CRASH_BUDGET:
            return self._failed(name, f"its process died {CRASH_BUDGET} times while at this step")
        return None

    def _attempt(self, step: _Step, failures: int) -> Outcome | None:
        """Return how the step ended; None when the next attempt is due."""
        name = step.name
        try:
            self._begin(name)
            value = attempt_step(step.work)
        except (CircuitBreakerError, PausedError) as refusal:
            self._wait(
                step, str(refusal), min(refusal.retry_after_seconds or _LOOK_SECONDS, _ASK_AGAIN_SECONDS)
            )
        except TransientError as error:
            if failures + 1 >= step.attempts:
                return self._failed(name, _words(error))
            self._wait(step, _words(error), _pause_seconds(failures, error), is_failure=True)
        except PermanentError as error:
            return self._failed(name, _words(error), spent=False)
        else:
            return self._settled(name, StepState.SUCCEEDED, {"value": value})
        return None

    def _stand(self, name: str) -> JobStatus:
        return self._note(lambda: self._runs.stand(self._hold, name))

    def _is_cancelled(self, step: _Step, standing: JobStatus) -> bool:
        is_too_late = self._is_ending or (step.must_finish and standing.is_tried)
        return standing.is_cancel_requested and not is_too_late

    def _begin(self, name: str) -> None:
        self._note(lambda: self._runs.attempt(self._hold, name, self._services.clock.now()))

    def _failed(self, name: str, reason: str, *, spent: bool = True) -> Outcome:
        return self._settled(name, StepState.FAILED, {"failed": reason, "spent": spent})

    def _settled(self, name: str, state: StepState, outcome: Outcome) -> Outcome:
        now, error = self._services.clock.now(), outcome.get("failed")
        self._note(lambda: self._runs.settle(self._hold, name, state, now, error))
        return outcome

    def _wait(self, step: _Step, reason: str, seconds: float, *, is_failure: bool = False) -> None:
        """Wait for a while, or until cancellation is requested."""
        clock = self._services.clock
        due_at = clock.now() + timedelta(seconds=seconds)
        self._note(lambda: self._runs.wait(self._hold, step.name, due_at, reason, failed=is_failure))
        waited = 0.0  # a clock that is set back meanwhile must not prolong the wait
        while waited < seconds and (left := (due_at - clock.now()).total_seconds()) > 0:
            look_seconds = min(left, _LOOK_SECONDS)
            if self._pause(look_seconds):
                raise InterruptedJobError
            waited += look_seconds
            if self._is_cancelled(step, self._stand(step.name)):
                return

    def _note(self, access: Callable[[], T]) -> T:
        return retry_until_stored(access, self._pause)


def _pause_seconds(failures: int, error: TransientError) -> float:
    seconds = min(_FIRST_PAUSE_SECONDS * 2.0**failures, _LAST_PAUSE_SECONDS)
    return min(max(seconds, error.retry_after_seconds or 0.0), _LONGEST_WAIT_SECONDS)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
