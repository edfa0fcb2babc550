"""The DBOS engine: one workflow per job, under the job's id, with one DBOS queue per kind.

DBOS allows one instance per process and is heavy: only the role `rollcall jobs` imports this module. Values
are stored as JSON, so that they are readable and loading them executes no code.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from dbos import DBOS, DBOSConfig, Serializer, SetEnqueueOptions, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy import Engine as Connections
from sqlalchemy.exc import SQLAlchemyError

from domain.job import JobRecord, Profile
from workflows.engine_database import engine_for
from workflows.execution import Execution
from workflows.steps import InterruptedJobError, Outcome


class PlainJson(Serializer):
    """JSON serializer. An exception, which no workflow should leak, is stored as its text."""

    def serialize(self, data: Any) -> str:
        """Return `data` as JSON."""
        return json.dumps(data, default=_text)

    def deserialize(self, serialized_data: str) -> Any:
        """Return the stored value; an exception is returned as one."""
        value = json.loads(serialized_data)
        is_error = isinstance(value, dict) and value.keys() == {_ERROR}
        return RuntimeError(value[_ERROR]) if is_error else value

    def name(self) -> str:
        """The serializer's name, which DBOS stores beside each value."""
        return "rollcall_json"


_ERROR = "__error__"


def _text(value: object) -> dict[str, str]:
    if not isinstance(value, Exception):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {_ERROR: f"{type(value).__name__}: {value}"}


# Fixed, so that any release recovers every job, whichever release started it (docs/jobs.md).
_VERSION = "rollcall"
_LISTEN_SECONDS = 1.0  # for messages between workflows, which Rollcall does not use
_ENQUEUED, _PENDING = "ENQUEUED", "PENDING"
_GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_FAULTS_OF_OURS = (
    dbos_errors.DBOSUnexpectedStepError,
    dbos_errors.DBOSStepNondeterminismError,
    dbos_errors.DBOSPatchNondeterminismError,
)

_log = logging.getLogger(__name__)


class DurableWorkflow:
    """The step store that DBOS provides."""

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:
        """Return the stored outcome of the step; without one, run `work` and store its outcome first.

        Raises: InterruptedJobError when the outcome cannot be stored, for example after the engine was
        closed. That is not a failure of the step: recovery repeats it.
        """
        failures = list[Exception]()

        def watched() -> Outcome:
            try:
                return work()
            except Exception as error:
                failures.append(error)
                raise

        try:
            return DBOS.run_step({"name": name}, watched)
        except (dbos_errors.DBOSException, SQLAlchemyError) as error:
            if error in failures or isinstance(error, _FAULTS_OF_OURS):
                raise
            _log.error("a step cannot be kept", extra={"step": name}, exc_info=error)
            raise InterruptedJobError from error

    def is_changed(self, change: str) -> bool:
        """Return whether the current workflow reaches this point for the first time with the new code."""
        return DBOS.patch(change)


class Engine:
    """Starts jobs, and executes those of `profiles` until it is closed."""

    def __init__(self, execution: Execution, database_url: str, profiles: Collection[Profile]) -> None:
        self._catalog = execution.catalog
        self._profiles = profiles
        logging.getLogger("dbos").addHandler(logging.NullHandler())  # otherwise DBOS creates its own
        self._connections = engine_for(database_url)
        DBOS(config=_config(database_url, self._connections, execution.executor))

        @DBOS.workflow(name="job", max_recovery_attempts=None)
        def run(job_id: str) -> None:
            execution.run(job_id)

        self._run = run

    def launch(self, at_once: Mapping[str, int]) -> None:
        """Start executing, beginning with jobs that an earlier process of the same executor left behind.

        Shape: `at_once` overrides the fleet-wide concurrency of the kinds that it lists. On SQLite, several
        processes may exceed the limit for a moment.
        """
        kinds = self._catalog.values()
        DBOS.listen_queues([kind.name for kind in kinds if kind.profile in self._profiles])
        DBOS.launch()
        for kind in kinds:
            DBOS.register_queue(
                kind.name,
                worker_concurrency=at_once.get(kind.name, kind.at_once),
                global_concurrency=at_once.get(kind.name),
                partition_concurrency=None if kind.lane is None else 1,
                polling_interval_sec=kind.look_seconds,
                on_conflict="always_update",
            )

    def start(self, job: JobRecord, number: int) -> None:
        """Enqueue the job, ordered by `number` and exclusive within its partition key. Idempotent."""
        kind = self._catalog.get(job.kind)
        with SetWorkflowID(job.id):
            try:
                lane = None if kind is None or kind.lane is None else kind.lane(kind.read(job.input))
            except Exception:  # noqa: BLE001 - another release took it in
                kind = None
            if kind is None:
                DBOS.start_workflow(self._run, job.id)  # the workflow fails the job and records the reason
                return
            with SetEnqueueOptions(priority=number, queue_partition_key=lane):
                DBOS.enqueue_workflow(kind.name, self._run, job.id)

    def hasten(self, job_id: str) -> None:
        """Run a queued job immediately, ahead of its queue."""
        status = DBOS.get_workflow_status(job_id)
        if status is not None and status.status == _ENQUEUED:
            DBOS.resume_workflow(job_id)

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Return the jobs that this engine's database has no workflow for."""
        found = DBOS.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False)
        known = {workflow.workflow_id for workflow in found}
        return [job_id for job_id in ids if job_id not in known]

    def given_up(self, ids: Sequence[str]) -> list[str]:
        """Return the jobs whose workflow DBOS ended by itself, as after an error outside the steps."""
        found = DBOS.list_workflows(
            workflow_ids=list(ids), status=_GIVEN_UP, load_input=False, load_output=False
        )
        return [workflow.workflow_id for workflow in found]

    def go_on(self, job_id: str) -> None:
        """Resume such a job after the last stored step."""
        kept = [step["function_id"] for step in DBOS.list_workflow_steps(job_id, load_output=False)]
        DBOS.rewind_workflow(job_id, start_step=max(kept, default=0) + 1)

    def executors(self) -> set[str]:
        """Return the executors with work in progress, live or dead."""
        found = DBOS.list_workflows(status=_PENDING, load_input=False, load_output=False)
        return {workflow.executor_id for workflow in found if workflow.executor_id is not None}

    def recover(self, executor: str) -> int:
        """Requeue the work of a dead executor; return the number of workflows."""
        # DBOS offers no public call for this without its own control plane.
        return len(DBOS._recover_pending_workflows([executor]))  # noqa: SLF001

    def forget(self, ids: Sequence[str]) -> None:
        """Delete what the engine stores of ended jobs. Idempotent."""
        DBOS.delete_workflows(list(ids))

    def close(self, patience_seconds: int) -> None:
        """Accept no new work, wait for work in progress, then stop. Unfinished work stays for recovery."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience_seconds)
        self._connections.dispose()


def _config(database_url: str, connections: Connections, executor: str) -> DBOSConfig:
    return {
        "name": "rollcall",
        "system_database_url": database_url,
        "executor_id": executor,
        "application_version": _VERSION,
        "serializer": PlainJson(),
        "system_database_engine": connections,
        "use_listen_notify": False,
        "notification_listener_polling_interval_sec": _LISTEN_SECONDS,
        "scheduler_polling_interval_sec": 3600.0,
        "log_level": "WARNING",
    }
