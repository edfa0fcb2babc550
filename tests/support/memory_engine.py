"""Jobs carried out in the test's own thread and on its clock; what was kept survives every crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from domain.job import JobRecord
from store.jobs.execution import JobExecution
from tests.support.clock import FakeClock
from workflows.catalog import JobKinds
from workflows.execution import Execution
from workflows.kind import JobContext
from workflows.steps import Outcome


@dataclass
class Memory:
    """What one job's steps came to; `crash` is called with each step's name around the keeping of it."""

    kept: dict[str, Outcome] = field(default_factory=dict)
    crash: Callable[[str], None] = lambda _: None

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:
        if name not in self.kept:
            self.crash(f"{name}:before")
            outcome = work()
            self.crash(f"{name}:unkept")
            self.kept[name] = outcome
            self.crash(f"{name}:kept")
        return self.kept[name]

    def is_changed(self, change: str) -> bool:
        return bool(self(f"change:{change}", lambda: {"value": True})["value"])


class MemoryEngine:
    """Starts jobs in order when the test says `work`. Time that a job waits for passes on the clock."""

    def __init__(self, catalog: JobKinds, services: JobContext, runs: JobExecution, clock: FakeClock) -> None:
        self.memories: dict[str, Memory] = {}
        self.waiting: list[str] = []
        self.ended: list[str] = []
        self.on_pause: Callable[[], object] = lambda: None
        self.is_stopping = False
        self._clock = clock
        self._execution = Execution(
            executor="test",
            catalog=catalog,
            services=services,
            runs=runs,
            keep=Memory(),
            pause=self._pause,
            announce=lambda job: self.ended.append(job.id),
        )

    def start(self, job: JobRecord, number: int) -> None:
        if job.id not in self.memories:
            self.memories[job.id] = Memory()
            self.waiting.append(job.id)

    def hasten(self, job_id: str) -> None:
        self.run(job_id)

    def work(self) -> None:
        while self.waiting:
            self.run(self.waiting[0])

    def run(self, job_id: str) -> None:
        """Carry it out; an exception stands for a crash, after which it may be run again."""
        if job_id in self.waiting:
            self.waiting.remove(job_id)
        replace(self._execution, keep=self.memories[job_id]).run(job_id)

    def _pause(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        self.on_pause()
        return self.is_stopping
