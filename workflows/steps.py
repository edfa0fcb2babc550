"""Durable steps of a job: retried after transient errors, and stopped on cancellation.

An attempt either returns or raises; one that a breaker refuses does not count. Writes that a job depends on
are retried until the database answers or the process stops.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from domain.errors import PermanentError, RollcallError, TransientError
from domain.job import JobPhase, Progress, StepOutcome, StepState
from domain.retry import Backoff
from resilience.breaker import CircuitBreakerError
from store.database import OUTAGES, Wait, retry_during_outage
from store.jobs.execution import JobExecution, JobLease, JobLostError, JobStatus
from workflows.kind import STEP_ATTEMPTS, CancelledError, JobContext, StepFailedError

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

    It is not an Exception, so that neither a workflow nor DBOS treats it as a failure.
    """


def retry_until_stored(access: Callable[[], T], pause: Wait) -> T:
    """Return the result of `access` as soon as the database answers.

    Raises: InterruptedJobError when the process stops first, or another process has the job now.
    """
    try:
        return retry_during_outage(access, pause)
    except JobLostError as lost:
        _log.warning("job lost", extra={"error": str(lost)})
        raise InterruptedJobError from lost
    except OUTAGES as error:
        raise InterruptedJobError from error


STEP_CRASH_BUDGET = 25
_BACKOFF = Backoff(first_seconds=2, last_seconds=300)
_BREAKER_RETRY_SECONDS = 15.0  # wait for a breaker: an operator may close it in the meantime
_POLL_SECONDS = 1.0  # how soon a waiting job sees its cancellation


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    work: Callable[[], object]
    attempts: int
    must_finish: bool


class JobSteps:
    """The `Job` that a workflow receives. `lease` has the outcomes of the steps that ended before."""

    def __init__(self, lease: JobLease, runs: JobExecution, services: JobContext, pause: Wait) -> None:
        self._lease = lease
        self._runs = runs
        self._services = services
        self._pause = pause
        self._is_compensating = False
        self._names: Counter[str] = Counter()

    @property
    def id(self) -> str:
        """The job's id."""
        return self._lease.job.id

    @property
    def services(self) -> JobContext:
        """The ports to the outside."""
        return self._services

    @property
    def phase(self) -> JobPhase:
        """The phase in progress."""
        return self._lease.job.phase

    def step(
        self,
        name: str,
        work: Callable[[], T],
        *,
        attempts: int = STEP_ATTEMPTS,
        must_finish: bool = False,
    ) -> T:
        """Run `work` durably: see `workflows.kind.Job`."""
        name = self._in_phase(name)
        self._names[name] += 1
        if (count := self._names[name]) > 1:
            name = f"{name} ({count})"
            self._names[name] += 1
        step = _Step(name, work, attempts, must_finish)
        outcome = self._lease.outcomes.get(name) or self._run(step)
        if "value" in outcome:
            return cast("T", outcome["value"])
        if "cancelled" in outcome:
            raise CancelledError("it was cancelled")
        reason = str(outcome["failed"])
        raise StepFailedError(name, reason) if outcome["spent"] else PermanentError(reason)

    def report_progress(self, done: int, total: int, message: str) -> None:
        """Report the job's progress, for display."""
        self._store(lambda: self._runs.report_progress(self._lease, Progress(done, total, message)))

    def is_changed(self, change: str) -> bool:
        """Return whether the new code applies: see `workflows.kind.Job`."""
        name = f"change {change}"
        begun = {each for each in self._lease.outcomes if each.startswith(self._in_phase(""))}
        if self._in_phase(name) not in begun and begun - self._names.keys():
            return False  # it has begun a step that comes after this point
        return self.step(name, lambda: True)

    def begin_compensation(self) -> None:
        """Begin the compensation, which cannot be cancelled."""
        self._is_compensating = True

    def _in_phase(self, name: str) -> str:
        """Return the stored name of a step: phases after the first have steps of their own."""
        phase = self.phase
        return f"{phase.number + 1}. {phase.name}: {name}" if phase.number else name

    def _run(self, step: _Step) -> StepOutcome:
        while True:
            if self._pause(0):
                raise InterruptedJobError  # a process that stops begins nothing
            status = self._status(step.name)
            outcome = self._ends_early(step, status) or self._attempt(step, status.failures)
            if outcome is not None:
                return outcome

    def _ends_early(self, step: _Step, status: JobStatus) -> StepOutcome | None:
        """Return how the step ends without another attempt, or None."""
        if self._is_cancelled(step, status):
            return self._end(step, StepState.CANCELLED, {"cancelled": True})
        if status.crashes >= STEP_CRASH_BUDGET:
            return self._fail(step, f"its process died {STEP_CRASH_BUDGET} times while at this step")
        return None

    def _attempt(self, step: _Step, failures: int) -> StepOutcome | None:
        """Return how the step ended; None when the next attempt is due."""
        now = self._services.clock.now()
        try:
            self._store(lambda: self._runs.begin_attempt(self._lease, step.name, now))
            value = attempt_step(step.work)
        except (CircuitBreakerError, PausedError) as refusal:
            seconds = min(refusal.retry_after_seconds or _POLL_SECONDS, _BREAKER_RETRY_SECONDS)
            self._wait(step, str(refusal), seconds)
        except TransientError as error:
            if failures + 1 >= step.attempts:
                return self._fail(step, _text(error))
            seconds = _BACKOFF.wait(failures, error).total_seconds()
            self._wait(step, _text(error), seconds, is_failure=True)
        except PermanentError as error:
            return self._fail(step, _text(error), spent=False)
        else:
            return self._end(step, StepState.SUCCEEDED, {"value": value})
        return None

    def _status(self, name: str) -> JobStatus:
        return self._store(lambda: self._runs.status(self._lease, name))

    def _is_cancelled(self, step: _Step, status: JobStatus) -> bool:
        is_too_late = self._is_compensating or (step.must_finish and status.is_attempted)
        return status.is_cancel_requested and not is_too_late

    def _fail(self, step: _Step, reason: str, *, spent: bool = True) -> StepOutcome:
        return self._end(step, StepState.FAILED, {"failed": reason, "spent": spent})

    def _end(self, step: _Step, state: StepState, outcome: StepOutcome) -> StepOutcome:
        now = self._services.clock.now()
        self._store(lambda: self._runs.end_step(self._lease, step.name, state, outcome, now))
        return outcome

    def _wait(self, step: _Step, reason: str, seconds: float, *, is_failure: bool = False) -> None:
        """Wait for a while, or until cancellation is requested."""
        clock = self._services.clock
        due_at = clock.now() + timedelta(seconds=seconds)
        self._store(lambda: self._runs.wait(self._lease, step.name, due_at, reason, failed=is_failure))
        waited = 0.0  # a clock that is set back meanwhile must not prolong the wait
        while waited < seconds and (left := (due_at - clock.now()).total_seconds()) > 0:
            poll_seconds = min(left, _POLL_SECONDS)
            if self._pause(poll_seconds):
                raise InterruptedJobError
            waited += poll_seconds
            if self._is_cancelled(step, self._status(step.name)):
                return

    def _store(self, access: Callable[[], T]) -> T:
        return retry_until_stored(access, self._pause)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
