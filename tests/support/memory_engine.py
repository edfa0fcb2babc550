"""Jobs executed in the test's own thread and on its clock; the rows survive every simulated crash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domain.job import JobRecord, StepOutcome, StepState, WaitFor, workflow_id
from store.database import Database
from store.jobs.execution import JobExecution, JobLease, JobStatus
from tests.support.clock import FakeClock
from workflows.execution import Execution
from workflows.kind import JobContext, JobKinds


@dataclass
class Hooks:
    """`crash` is called with `{step}:before` an attempt, `:unkept` after it, and `:kept` once stored."""

    crash: Callable[[str], None] = lambda _: None


class HookedExecution(JobExecution):
    """The writes of a process that a test may interrupt between any two of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.hooks: dict[str, Hooks] = defaultdict(Hooks)

    def status(self, lease: JobLease, step: str) -> JobStatus:
        self.hooks[lease.job.id].crash(f"{step}:before")
        return super().status(lease, step)

    def end_step(
        self, lease: JobLease, step: str, state: StepState, outcome: StepOutcome, now: datetime
    ) -> None:
        self.hooks[lease.job.id].crash(f"{step}:unkept")
        super().end_step(lease, step, state, outcome, now)
        self.hooks[lease.job.id].crash(f"{step}:kept")

    def park(self, lease: JobLease, wait: WaitFor, now: datetime) -> bool:
        self.hooks[lease.job.id].crash("park:before")
        has_signal = super().park(lease, wait, now)
        self.hooks[lease.job.id].crash("park:kept")
        return has_signal


class MemoryEngine:
    """Starts jobs in order when the test says `work`. Time that a job waits for passes on the clock."""

    def __init__(self, kinds: JobKinds, services: JobContext, database: Database, clock: FakeClock) -> None:
        self.runs = HookedExecution(database)
        self.known: set[str] = set()
        self.waiting: list[str] = []
        self.ended: list[str] = []
        self.on_pause: Callable[[], object] = lambda: None
        self.is_stopping = False
        self._clock = clock
        self._execution = Execution(
            executor="test",
            kinds=kinds,
            services=services,
            runs=self.runs,
            pause=self._pause,
            announce=lambda job: self.ended.append(job.id),
        )

    @property
    def hooks(self) -> dict[str, Hooks]:
        """The hooks of each job, by id."""
        return self.runs.hooks

    def start(self, job: JobRecord) -> None:
        workflow = workflow_id(job.id, job.phase.number)
        if workflow not in self.known:
            self.known.add(workflow)
            self.waiting.append(workflow)

    def start_now(self, workflow: str) -> None:
        self.run(workflow)

    def work(self) -> None:
        while self.waiting:
            self.run(self.waiting[0])

    def run(self, workflow: str) -> None:
        """Execute a phase of a job; an exception stands for a crash, after which it may run again."""
        if workflow in self.waiting:
            self.waiting.remove(workflow)
        job_id, _, phase = workflow.partition("-")
        self._execution.run(job_id, int(phase or 0))

    def _pause(self, seconds: float) -> bool:
        if seconds == 0:
            return False  # it stops while a job waits
        self._clock.advance(seconds)
        self.on_pause()
        return self.is_stopping
