"""A harness of the generation workflow: a real database and folder, a fake clock, a stand-in provider."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from domain.job import JobRecord, JobState, NewJob, Profile
from domain.money import Balance
from providers.gemini import Gemini
from providers.storage import Folder
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from store.credits import CreditLedger
from store.database import Database
from store.jobs.jobs import Jobs
from tests.standins.gemini import MODEL, GeminiStandIn
from tests.support.clock import FakeClock
from tests.support.memory_engine import MemoryEngine
from workflows.generation import GEMINI
from workflows.kind import GenerationContext, JobContext
from workflows.kinds import KINDS

ADA = "ada"
STEPS = ("reserve", "fetch", "make", "store", "capture")
MOMENTS = [f"{step}:{moment}" for step in STEPS for moment in ("before", "unkept", "kept")]
POLICY = BreakerPolicy(failure_threshold=3, recovery_seconds=120, success_threshold=1)


class CrashError(BaseException):
    """A simulated crash of the process."""


class GenerationHarness:
    """The services of a generation job; `granted` is the number of credits that ada was granted."""

    def __init__(
        self, database: Database, client: redis.Redis, prefix: str, folder: Path, standin: GeminiStandIn
    ) -> None:
        self.clock, self.jobs, self.ledger = FakeClock(), Jobs(database), CreditLedger(database)
        self.gemini, self.folder, self.storage = standin, folder, Folder(folder)
        self.granted = 0
        self.breaker = CircuitBreaker.shared(GEMINI, client, POLICY, now_ms=self._now_ms, prefix=prefix)
        ports = GenerationContext(self.ledger, Gemini(standin.api_key, MODEL, standin.url))
        services = JobContext(self.clock, self.storage, {GEMINI: self.breaker}, generation=ports)
        self.engine = MemoryEngine(KINDS, services, database, self.clock)

    def grant(self, amount: int = 1) -> None:
        self.ledger.grant(ADA, amount, f"grant-{self.granted}", self.clock.now())
        self.granted += amount

    def order(self, **given: Any) -> str:
        """Add a queued job; its id."""
        input_ = {"account": ADA, "prompt": "an owl at dawn"} | given
        job, _ = self.jobs.add(NewJob("generation", Profile.REALTIME, input_), self.clock.now())
        self.engine.start(job)
        return job.id

    def finish(self, job_id: str) -> JobRecord:
        """Run the job to its end, across any number of crashes."""
        while not self.reload(job_id).state.is_final:
            with suppress(CrashError):
                self.engine.run(job_id)
        return self.reload(job_id)

    def reload(self, job_id: str) -> JobRecord:
        found = self.jobs.get(job_id)
        assert found is not None
        return found

    def balance(self) -> Balance:
        return self.ledger.balance(ADA) or Balance()

    def stored(self, job_id: str) -> list[Path]:
        return [path for path in (self.folder / "jobs" / job_id).rglob("*") if path.is_file()]

    def _now_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    def assert_credits_balance(self, *ids: str) -> None:
        """Each succeeded job cost one credit and stored one picture; no other job cost anything."""
        ended = [self.reload(job_id) for job_id in ids]
        delivered = [job for job in ended if job.state is JobState.SUCCEEDED]
        spent = len(delivered)
        assert self.balance() == Balance(available=self.granted - spent, held=0, spent=spent)
        for job in delivered:
            (path,) = self.stored(job.id)
            assert job.result is not None
            assert (job.result["bytes"], job.result["credits"]) == (path.stat().st_size, 1)
            assert self.storage.get(str(job.result["artifact"])) == path.read_bytes()
        for job in ended:
            assert (job.error is None) == (job.state is JobState.SUCCEEDED)
