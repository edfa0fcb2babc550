"""The DBOS engine: one workflow per job, under the job's id, with one DBOS queue per kind.

DBOS allows one instance per process and is heavy: only the role `rollcall jobs` imports this module. Values
are stored as JSON, so that they are readable and loading them executes no code.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    Serializer,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowStatus,
)
from sqlalchemy import Engine as Connections

from domain.job import JobRecord, Profile, workflow_id
from workflows.engine_database import engine_for
from workflows.execution import Execution
from workflows.kind import JobKind


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
_RESUMED_POLL_SECONDS = 0.25  # a person waits for the phase
_ENQUEUED, _PENDING = "ENQUEUED", "PENDING"
_ENDED_BY_DBOS = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Engine:
    """Starts jobs, and executes those of `profiles` until it is closed.

    DBOS queues, orders and recovers workflows; the outcome of each step is in the job's own rows.
    """

    def __init__(self, execution: Execution, database_url: str, profiles: Collection[Profile]) -> None:
        self._execution = execution
        self._profiles = profiles
        logging.getLogger("dbos").addHandler(logging.NullHandler())  # otherwise DBOS creates its own
        self._connections = engine_for(database_url)
        DBOS(config=_config(database_url, self._connections, execution.executor))

        @DBOS.workflow(name="job", max_recovery_attempts=None)
        def run(job_id: str, phase: int = 0) -> None:
            execution.run(job_id, phase)

        self._run = run

    def launch(self, at_once: Mapping[str, int]) -> None:
        """Start executing, beginning with jobs that an earlier process of the same executor left behind.

        Shape: `at_once` overrides the fleet-wide concurrency of the kinds that it lists. On SQLite, several
        processes may exceed the limit for a moment.
        """
        self._adopt_outcomes()
        kinds = self._execution.kinds.values()
        DBOS.listen_queues([q for kind in kinds if kind.profile in self._profiles for q in _queues(kind)])
        DBOS.launch()
        for kind in kinds:
            for queue, poll_seconds in _queues(kind).items():
                DBOS.register_queue(
                    queue,
                    worker_concurrency=at_once.get(kind.name, kind.at_once),
                    global_concurrency=at_once.get(kind.name),
                    partition_concurrency=None if kind.partition_key is None else 1,
                    polling_interval_sec=poll_seconds,
                    on_conflict="always_update",
                )

    def start(self, job: JobRecord) -> None:
        """Enqueue the job's phase, in order of submission and exclusive within its partition key.

        A phase that follows a wait has a queue of its own, so that it does not wait for first phases.
        Idempotent.
        """
        kind, partition_key = self._execution.kinds.get(job.kind), None
        phase = job.phase.number
        given = (job.id, phase) if phase else (job.id,)  # releases without phases take the id alone
        with SetWorkflowID(workflow_id(job.id, phase)):
            try:
                if kind is not None and kind.partition_key is not None:
                    partition_key = kind.partition_key(kind.read(job.input))
            except Exception:  # noqa: BLE001 - accepted by another release
                kind = None
            if kind is None:
                DBOS.start_workflow(self._run, *given)  # the workflow fails the job and records the reason
                return
            with SetEnqueueOptions(priority=job.number, queue_partition_key=partition_key):
                queue = resumed_queue(kind) if phase and kind.phases else kind.name
                DBOS.enqueue_workflow(queue, self._run, *given)

    def start_now(self, workflow: str) -> None:
        """Run a queued phase immediately, ahead of its queue."""
        status = DBOS.get_workflow_status(workflow)
        if status is not None and status.status == _ENQUEUED:
            DBOS.resume_workflow(workflow)

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Return the workflow ids, one per phase of a job, that this engine's database does not have."""
        known = {workflow.workflow_id for workflow in _workflows(workflow_ids=list(ids))}
        return [each for each in ids if each not in known]

    def ended(self, ids: Sequence[str]) -> list[str]:
        """Return the workflow ids that DBOS ended by itself, as after an error outside the steps."""
        return [each.workflow_id for each in _workflows(workflow_ids=list(ids), status=_ENDED_BY_DBOS)]

    def resume(self, workflow: str) -> None:
        """Resume such a workflow after the last stored step."""
        DBOS.rewind_workflow(workflow)

    def executors(self) -> set[str]:
        """Return the executors with work in progress, live or dead."""
        found = _workflows(status=_PENDING)
        return {workflow.executor_id for workflow in found if workflow.executor_id is not None}

    def recover(self, executor: str) -> int:
        """Requeue the work of a dead executor; return the number of jobs."""
        # DBOS offers no public call for this without its own control plane.
        return len(DBOS._recover_pending_workflows([executor]))  # noqa: SLF001

    def purge(self, ids: Sequence[str]) -> None:
        """Delete what the engine stores of these workflows of ended jobs. Idempotent."""
        DBOS.delete_workflows(list(ids))

    def close(self, patience_seconds: int) -> None:
        """Accept no new work, wait for work in progress, then stop. Unfinished work stays for recovery."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience_seconds)
        self._connections.dispose()

    def _adopt_outcomes(self) -> None:
        """Copy the outcomes of steps that earlier releases stored in DBOS, for unfinished jobs."""
        runs = self._execution.runs
        job_ids = runs.with_outcomes_in_dbos()
        if not job_ids:
            return
        client = DBOSClient(system_database_engine=self._connections, serializer=PlainJson())
        for job_id in job_ids:
            steps = client.list_workflow_steps(job_id)
            runs.adopt(job_id, {step["function_name"]: step["output"] or {} for step in steps})
        client.destroy()


def resumed_queue(kind: JobKind[Any]) -> str:
    """Return the queue of the phases of `kind` that follow a wait."""
    return f"{kind.name}.resumed"


def _queues(kind: JobKind[Any]) -> dict[str, float]:
    """Return the queues of `kind` with their poll intervals in seconds."""
    queues = {kind.name: kind.poll_seconds}
    return queues | {resumed_queue(kind): _RESUMED_POLL_SECONDS} if kind.phases else queues


def _workflows(**filters: Any) -> list[WorkflowStatus]:
    return DBOS.list_workflows(load_input=False, load_output=False, **filters)


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
