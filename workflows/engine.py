"""DBOS, which makes jobs durable: one workflow a job, under the job's id, on one queue for each kind.

DBOS is one to a process, and heavy: only the role `rollcall jobs` imports this module.

How DBOS keeps values: JSON that anybody can read, and that can do nothing when it is read.
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
    """JSON. What a workflow should never have let out, an exception, is kept as its text."""

    def serialize(self, data: Any) -> str:
        """`data` as JSON."""
        return json.dumps(data, default=_text)

    def deserialize(self, serialized_data: str) -> Any:
        """The value that was kept; an exception comes back as one."""
        value = json.loads(serialized_data)
        is_error = isinstance(value, dict) and value.keys() == {_ERROR}
        return RuntimeError(value[_ERROR]) if is_error else value

    def name(self) -> str:
        """The name that stands beside each value."""
        return "rollcall_json"


_ERROR = "__error__"


def _text(value: object) -> dict[str, str]:
    if not isinstance(value, Exception):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {_ERROR: f"{type(value).__name__}: {value}"}


# Fixed, so that whoever comes after takes up every job, whichever code it began with (docs/jobs.md).
_VERSION = "rollcall"
_LISTEN_SECONDS = 1.0  # for messages between workflows, of which there are none
_ENQUEUED, _PENDING = "ENQUEUED", "PENDING"
_GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_FAULTS_OF_OURS = (
    dbos_errors.DBOSUnexpectedStepError,
    dbos_errors.DBOSStepNondeterminismError,
    dbos_errors.DBOSPatchNondeterminismError,
)

_log = logging.getLogger(__name__)


class DurableWorkflow:
    """Steps as DBOS keeps them."""

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:
        """The outcome that was kept for the step, or else that of `work`, which is kept first.

        Raises: InterruptedJobError when it cannot be kept, as after the engine was closed: that is no failure
        of the step, which is taken up again as it is known.
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
        """Whether the workflow in hand comes to this place for the first time with the new code."""
        return DBOS.patch(change)


class Engine:
    """Starts jobs, and carries those of `profiles` out, until it is closed."""

    def __init__(self, execution: Execution, database_url: str, profiles: Collection[Profile]) -> None:
        self._catalog = execution.catalog
        self._profiles = profiles
        logging.getLogger("dbos").addHandler(logging.NullHandler())  # else it brings one of its own
        self._connections = engine_for(database_url)
        DBOS(config=_config(database_url, self._connections, execution.executor))

        @DBOS.workflow(name="job", max_recovery_attempts=None)
        def run(job_id: str) -> None:
            execution.run(job_id)

        self._run = run

    def launch(self, at_once: Mapping[str, int]) -> None:
        """Begin to work, with what an earlier process of the same executor left behind.

        Shape: `at_once` has the kinds of which another number than their own is carried out at a time, in
        the whole fleet. On SQLite several processes may exceed it for a moment.
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
        """Have the job carried out when its turn comes: by `number`, alone in its lane. Safe to repeat."""
        kind = self._catalog.get(job.kind)
        with SetWorkflowID(job.id):
            try:
                lane = None if kind is None or kind.lane is None else kind.lane(kind.read(job.given))
            except Exception:  # noqa: BLE001 - another release took it in
                kind = None
            if kind is None:
                DBOS.start_workflow(self._run, job.id)  # which ends it, and says why
                return
            with SetEnqueueOptions(priority=number, queue_partition_key=lane):
                DBOS.enqueue_workflow(kind.name, self._run, job.id)

    def hasten(self, job_id: str) -> None:
        """Carry a job out that still waits for its turn, out of turn."""
        status = DBOS.get_workflow_status(job_id)
        if status is not None and status.status == _ENQUEUED:
            DBOS.resume_workflow(job_id)

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Which of these jobs were never given to this engine's database."""
        found = DBOS.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False)
        known = {workflow.workflow_id for workflow in found}
        return [job_id for job_id in ids if job_id not in known]

    def given_up(self, ids: Sequence[str]) -> list[str]:
        """Which of these jobs DBOS itself ended, as after an error outside of their steps."""
        found = DBOS.list_workflows(
            workflow_ids=list(ids), status=_GIVEN_UP, load_input=False, load_output=False
        )
        return [workflow.workflow_id for workflow in found]

    def go_on(self, job_id: str) -> None:
        """Carry such a job on after the last step that was kept."""
        kept = [step["function_id"] for step in DBOS.list_workflow_steps(job_id, load_output=False)]
        DBOS.rewind_workflow(job_id, start_step=max(kept, default=0) + 1)

    def executors(self) -> set[str]:
        """Those who have work in hand, alive or dead."""
        found = DBOS.list_workflows(status=_PENDING, load_input=False, load_output=False)
        return {workflow.executor_id for workflow in found if workflow.executor_id is not None}

    def recover(self, executor: str) -> int:
        """Put what a dead executor had in hand back into the queues; how much that was."""
        # The only way to it that DBOS leaves open to whoever does not run its own control plane.
        return len(DBOS._recover_pending_workflows([executor]))  # noqa: SLF001

    def forget(self, ids: Sequence[str]) -> None:
        """Remove what is kept of jobs, as of those that have ended. Safe to repeat."""
        DBOS.delete_workflows(list(ids))

    def close(self, patience_seconds: int) -> None:
        """Take up nothing new, wait for what is in hand, and stop; what is not done then is left behind."""
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
