from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from domain.errors import PermanentError, RateLimitedError, UpstreamError
from domain.job import JobState, JsonObject, NewJob, Profile, StepState
from providers.storage import Folder
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from store import migrate
from store.database import Database
from store.jobs.jobs import Jobs
from tests.support.clock import FakeClock
from tests.support.harness import sqlite_url
from tests.support.memory_engine import MemoryEngine
from workflows.kind import CancelledError, Job, JobContext, JobFailure, JobKind, StepFailedError, by_name
from workflows.steps import STEP_CRASH_BUDGET, InterruptedJobError

Workflow = Callable[[Job], Any]


class Bench:
    """One kind of job, whose workflow each test writes, on a real database and a held clock."""

    def __init__(self, database: Database, breaker: CircuitBreaker, folder: Path, clock: FakeClock) -> None:
        self.clock, self.jobs, self.breaker = clock, Jobs(database), breaker
        self.workflow: Workflow = lambda _: {}
        self.make_good: Callable[[Job, JobFailure], object] = lambda *_: None
        kind = JobKind(
            "task",
            Profile.REALTIME,
            read=lambda given: given,
            run=lambda job, _: self.workflow(job),
            on_failure=self._make_good,
        )
        services = JobContext(clock, Folder(folder), {"upstream": breaker})
        self.engine = MemoryEngine(by_name(kind), services, database, clock)
        self.runs = self.engine.runs
        self.job, _ = self.jobs.add(NewJob("task", Profile.REALTIME, {}), clock.now())
        self.engine.start(self.job)

    def run(self, workflow: Workflow | None = None) -> Any:
        """Carry the job out; how it stands afterwards."""
        self.workflow = workflow or self.workflow
        self.engine.run(self.job.id)
        return self.look()

    def guarding(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """The work, as a call of the upstream that the breaker guards."""
        return lambda: self.breaker.call(work)

    def _make_good(self, job: Job, _: Any, failure: JobFailure) -> None:
        self.make_good(job, failure)

    def look(self) -> Any:
        return self.jobs.get(self.job.id)


@pytest.fixture
def bench(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Bench]:
    database, clock = Database(sqlite_url(tmp_path)), FakeClock()
    migrate.upgrade(database)
    breaker = CircuitBreaker.shared(
        "upstream",
        redis_client,
        BreakerPolicy(failure_threshold=2, recovery_seconds=120, success_threshold=1),
        now_ms=lambda: int(clock.now().timestamp() * 1000),
        prefix=prefix,
    )
    yield Bench(database, breaker, tmp_path / "storage", clock)
    database.close()


class Flaky:
    """Work that raises each of `errors` in turn, and then returns."""

    def __init__(self, *errors: Exception, value: Any = "done") -> None:
        self.errors = list(errors)
        self.value = value
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.value


def test_a_job_succeeds_with_its_steps_and_its_progress(bench: Bench) -> None:
    def workflow(job: Job) -> JsonObject:
        seats = job.step("count", lambda: (3, 4))
        job.report_progress(1, 2, "counted")
        return {"seats": seats, "double": job.step("double", lambda: [2 * each for each in seats])}

    job = bench.run(workflow)

    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert job.result == {"seats": [3, 4], "double": [6, 8]}
    assert (job.progress.done, job.progress.total, job.progress.message) == (1, 2, "counted")
    assert [(step.name, step.state, step.attempts) for step in job.steps] == [
        ("count", StepState.SUCCEEDED, 1),
        ("double", StepState.SUCCEEDED, 1),
    ]
    assert bench.engine.ended == [bench.job.id]


def test_what_may_pass_is_tried_again_with_growing_pauses(bench: Bench) -> None:
    work = Flaky(UpstreamError("503"), UpstreamError("504"))
    began = bench.clock.now()

    job = bench.run(lambda job: {"is": job.step("ask", work)})

    assert (job.state, job.result) == (JobState.SUCCEEDED, {"is": "done"})
    assert (work.calls, job.steps[0].attempts, job.steps[0].error) == (3, 3, None)
    assert bench.clock.now() - began == timedelta(seconds=2 + 4)


def test_the_time_that_the_other_side_names_is_kept(bench: Bench) -> None:
    work = Flaky(RateLimitedError("slow down", retry_after_seconds=77))
    began = bench.clock.now()
    bench.run(lambda job: {"is": job.step("ask", work)})
    assert bench.clock.now() - began == timedelta(seconds=77)


def test_while_it_pauses_the_job_is_waiting_and_says_until_when(bench: Bench) -> None:
    seen: list[Any] = []
    bench.engine.on_pause = lambda: seen.append(bench.look())

    bench.run(lambda job: {"is": job.step("ask", Flaky(UpstreamError("503")))})

    (step,) = seen[0].steps
    assert (seen[0].state, step.state, step.error) == (JobState.WAITING, StepState.WAITING, "503")
    assert step.due_at == step.started_at + timedelta(seconds=2)


def test_when_the_attempts_are_spent_the_job_fails_with_the_last_reason(bench: Bench) -> None:
    work = Flaky(*(UpstreamError(f"failure {number}") for number in range(9)))
    caught: list[StepFailedError] = []

    def workflow(job: Job) -> JsonObject:
        try:
            return {"is": job.step("ask", work, attempts=3)}
        except StepFailedError as error:
            caught.append(error)
            raise

    job = bench.run(workflow)

    assert (work.calls, caught[0].name) == (3, "ask")
    assert (job.state, job.error) == (JobState.FAILED, "failure 2")
    assert (job.steps[0].state, job.steps[0].error) == (StepState.FAILED, "failure 2")


def test_what_will_never_pass_is_not_tried_again(bench: Bench) -> None:
    work = Flaky(PermanentError("there is no such term"))
    job = bench.run(lambda job: {"is": job.step("ask", work)})
    assert (work.calls, job.state, job.error) == (1, JobState.FAILED, "there is no such term")


@pytest.mark.parametrize("work", [Flaky(ZeroDivisionError("division by zero")), lambda: {"no": object()}])
def test_a_fault_of_ours_fails_the_job_and_says_so(bench: Bench, work: Callable[[], object]) -> None:
    job = bench.run(lambda job: {"is": job.step("ask", work)})
    assert job.state is JobState.FAILED
    assert job.error.startswith("an error in Rollcall itself (")


def test_a_fault_between_the_steps_fails_the_job_too(bench: Bench) -> None:
    def workflow(job: Job) -> JsonObject:
        return {"is": {"y": 1}[job.step("ask", lambda: "x")]}

    assert bench.run(workflow).error == "an error in Rollcall itself (KeyError: 'x')"


def test_a_result_that_is_no_json_fails_the_job(bench: Bench) -> None:
    job = bench.run(lambda _: {"is": float("nan")})
    assert (job.state, job.result) == (JobState.FAILED, None)


def test_a_refusal_by_the_breaker_costs_no_attempt(bench: Bench) -> None:
    bench.breaker.force_open("a test")
    states = []

    def release() -> None:
        states.append(bench.look().state)
        if len(states) == 5:
            bench.breaker.reset("a test")

    bench.engine.on_pause = release
    job = bench.run(lambda job: {"is": job.step("ask", bench.guarding(lambda: 1), attempts=1)})

    assert set(states) == {JobState.WAITING}
    assert len(states) <= 15
    assert (job.state, job.steps[0].attempts) == (JobState.SUCCEEDED, 1)


def test_failures_open_the_breaker_and_are_waited_out(bench: Bench) -> None:
    work = Flaky(UpstreamError("503"), UpstreamError("503"))
    began = bench.clock.now()

    job = bench.run(lambda job: {"is": job.step("ask", bench.guarding(work))})

    assert (job.state, work.calls) == (JobState.SUCCEEDED, 3)
    assert bench.clock.now() - began >= timedelta(seconds=120)
    assert bench.breaker.snapshot().state == "closed"


@pytest.mark.parametrize(
    "error",
    [
        RateLimitedError("429"),
        PermanentError("400"),
        ZeroDivisionError(),
    ],
)
def test_what_says_nothing_of_the_upstream_leaves_its_breaker_alone(bench: Bench, error: Exception) -> None:
    bench.run(lambda job: {"is": job.step("ask", bench.guarding(Flaky(error)))})
    assert bench.breaker.snapshot().failures == 0


def test_a_job_that_is_cancelled_before_it_began_does_nothing(bench: Bench) -> None:
    bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    work = Flaky()
    job = bench.run(lambda job: {"is": job.step("ask", work)})
    assert (work.calls, job.state, job.error) == (0, JobState.CANCELLED, "it was cancelled")


def test_a_job_is_cancelled_between_two_steps(bench: Bench) -> None:
    second = Flaky()

    def workflow(job: Job) -> JsonObject:
        job.step("first", lambda: bench.jobs.request_cancel(job.id, bench.clock.now()) is None)
        return {"is": job.step("second", second)}

    job = bench.run(workflow)
    assert (second.calls, job.state) == (0, JobState.CANCELLED)
    assert [step.state for step in job.steps] == [StepState.SUCCEEDED]


def test_a_step_whose_result_was_stored_is_not_cancelled_afterwards(bench: Bench) -> None:
    work = Flaky()

    def die(moment: str) -> None:
        if moment == "ask:kept":
            raise KeyboardInterrupt

    bench.engine.hooks[bench.job.id].crash = die
    with pytest.raises(KeyboardInterrupt):
        bench.run(lambda job: {"is": job.step("ask", work)})
    bench.engine.hooks[bench.job.id].crash = lambda _: None
    bench.jobs.request_cancel(bench.job.id, bench.clock.now())

    job = bench.run()

    assert (job.state, job.steps[0].state, work.calls) == (JobState.SUCCEEDED, StepState.SUCCEEDED, 1)


def test_a_job_that_waits_hears_within_a_second_that_it_is_cancelled(bench: Bench) -> None:
    bench.engine.on_pause = lambda: bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    work = Flaky(RateLimitedError("slow down", retry_after_seconds=3600), value=1)
    began = bench.clock.now()

    job = bench.run(lambda job: {"is": job.step("ask", work)})

    assert (work.calls, job.state) == (1, JobState.CANCELLED)
    assert bench.clock.now() - began == timedelta(seconds=1)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_what_was_done_is_compensated_in_steps_that_cannot_be_cancelled(
    bench: Bench, *, is_cancelled: bool
) -> None:
    seen: list[JobFailure] = []

    def make_good(job: Job, failure: JobFailure) -> None:
        seen.append(failure)
        job.step("refund", Flaky(UpstreamError("503")))

    def workflow(job: Job) -> JsonObject:
        if is_cancelled:
            bench.jobs.request_cancel(job.id, bench.clock.now())
        return {"is": job.step("ask", Flaky(PermanentError("no")))}

    bench.make_good = make_good
    job = bench.run(workflow)

    assert [failure.is_cancelled for failure in seen] == [is_cancelled]
    assert job.state is (JobState.CANCELLED if is_cancelled else JobState.FAILED)
    assert job.steps[-1].name == "refund"
    assert job.steps[-1].state is StepState.SUCCEEDED


def test_where_it_cannot_be_compensated_the_job_says_both(bench: Bench) -> None:
    bench.make_good = lambda job, _: job.step("refund", Flaky(PermanentError("the card is gone")))
    job = bench.run(lambda job: {"is": job.step("ask", Flaky(PermanentError("no")))})
    assert job.state is JobState.FAILED
    assert job.error == "no; and it could not be compensated: the card is gone"


class CrashError(BaseException):
    """The process dies."""


@pytest.mark.parametrize("moment", ["before", "unkept", "kept"])
@pytest.mark.parametrize("step", ["one", "two", "three"])
def test_after_a_crash_no_step_runs_again_whose_result_was_kept(bench: Bench, step: str, moment: str) -> None:
    works = {name: Flaky(value=name) for name in ("one", "two", "three")}
    memory = bench.engine.hooks[bench.job.id]

    def crash(where: str) -> None:
        if where == f"{step}:{moment}":
            memory.crash = lambda _: None
            raise CrashError

    memory.crash = crash

    def workflow(job: Job) -> JsonObject:
        return {"all": [job.step(name, work) for name, work in works.items()]}

    with pytest.raises(CrashError):
        bench.run(workflow)
    job = bench.run()

    assert (job.state, job.result) == (JobState.SUCCEEDED, {"all": ["one", "two", "three"]})
    assert {name: work.calls for name, work in works.items()} == {
        name: 2 if (name, moment) == (step, "unkept") else 1 for name in works
    }


def test_attempts_that_died_with_their_process_do_not_count_as_failures(bench: Bench) -> None:
    deaths = [CrashError() for _ in range(10)]

    def dies() -> str:
        if deaths:
            raise deaths.pop()
        return "at last"

    bench.workflow = lambda job: {"is": job.step("ask", dies, attempts=2)}
    for _ in range(10):
        with pytest.raises(CrashError):
            bench.run()

    job = bench.run()
    assert (job.result, job.steps[0].attempts) == ({"is": "at last"}, 11)


def test_a_step_that_kills_its_process_every_time_is_given_up(bench: Bench) -> None:
    def dies() -> None:
        raise CrashError

    bench.workflow = lambda job: job.step("deadly", dies) or {}
    for _ in range(STEP_CRASH_BUDGET):
        with pytest.raises(CrashError):
            bench.run()
    job = bench.run()
    assert (job.state, job.error) == (JobState.FAILED, "its process died 25 times while at this step")


def test_restarts_while_a_job_waits_are_no_crashes_of_it(bench: Bench) -> None:
    bench.breaker.force_open("ada")
    work = Flaky()
    bench.workflow = lambda job: {"is": job.step("ask", bench.guarding(work))}
    bench.engine.is_stopping = True
    for _ in range(2 * STEP_CRASH_BUDGET):
        with pytest.raises(InterruptedJobError):
            bench.run()
    bench.engine.is_stopping = False
    bench.breaker.reset("ada")

    job = bench.run()

    assert (job.state, job.steps[0].attempts, work.calls) == (JobState.SUCCEEDED, 1, 1)


def test_a_process_that_dies_while_its_job_waits_costs_it_nothing(bench: Bench) -> None:
    def die() -> None:
        raise CrashError

    bench.breaker.force_open("ada")
    bench.workflow = lambda job: {"is": job.step("ask", bench.guarding(lambda: 1))}
    bench.engine.on_pause = die
    for _ in range(2 * STEP_CRASH_BUDGET):
        with pytest.raises(CrashError):
            bench.run()
    bench.engine.on_pause = lambda: None
    bench.breaker.reset("ada")
    assert bench.run().state is JobState.SUCCEEDED


def test_a_process_that_stops_in_the_middle_of_a_step_lets_go_of_the_job(bench: Bench) -> None:
    left = [CrashError() for _ in range(2 * STEP_CRASH_BUDGET)]

    def is_cut_short() -> str:
        if left:
            raise left.pop()
        return "at last"

    bench.workflow = lambda job: {"is": job.step("ask", is_cut_short)}
    while left:
        with pytest.raises(CrashError):
            bench.run()
        bench.runs.release("test")
        assert bench.look().state is JobState.WAITING
    assert bench.run().result == {"is": "at last"}


def test_what_another_process_has_in_hand_is_not_let_go(bench: Bench) -> None:
    def dies() -> None:
        raise CrashError

    with pytest.raises(CrashError):
        bench.run(lambda job: job.step("ask", dies) or {})
    bench.runs.release("another")
    assert bench.look().state is JobState.RUNNING


def test_a_step_that_must_finish_is_cancelled_only_before_its_first_attempt(bench: Bench) -> None:
    bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    work = Flaky()
    job = bench.run(lambda job: {"is": job.step("ask", work, must_finish=True)})
    assert (work.calls, job.state) == (0, JobState.CANCELLED)


def test_a_step_that_must_finish_is_not_cancelled_while_its_effect_is_unknown(bench: Bench) -> None:
    bench.engine.on_pause = lambda: bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    work = Flaky(UpstreamError("503"), UpstreamError("503"))
    job = bench.run(lambda job: {"is": job.step("ask", work, must_finish=True)})
    assert (work.calls, job.state, job.result) == (3, JobState.SUCCEEDED, {"is": "done"})


def test_a_step_that_must_finish_is_cancelled_while_a_breaker_holds_it_back(bench: Bench) -> None:
    bench.breaker.force_open("ada")
    bench.engine.on_pause = lambda: bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    work = Flaky()
    job = bench.run(lambda job: {"is": job.step("ask", bench.guarding(work), must_finish=True)})
    assert (work.calls, job.state) == (0, JobState.CANCELLED)


def test_a_step_that_must_finish_is_finished_after_a_crash_though_it_is_cancelled(bench: Bench) -> None:
    deaths = [CrashError()]

    def dies_once() -> str:
        if deaths:
            raise deaths.pop()
        return "at last"

    bench.workflow = lambda job: {"is": job.step("ask", dies_once, must_finish=True)}
    with pytest.raises(CrashError):
        bench.run()
    bench.jobs.request_cancel(bench.job.id, bench.clock.now())
    assert bench.run().result == {"is": "at last"}


def test_anyone_who_was_taken_for_dead_can_change_nothing_any_more(bench: Bench) -> None:
    def superseded() -> str:
        bench.workflow = lambda job: {"by": job.step("ask", lambda: "the other")}
        bench.engine.run(bench.job.id)
        return "the first"

    with pytest.raises(InterruptedJobError):
        bench.run(lambda job: {"by": job.step("ask", superseded)})

    assert (bench.look().state, bench.look().result) == (JobState.SUCCEEDED, {"by": "the other"})


def test_a_job_that_has_ended_is_not_begun_again(bench: Bench) -> None:
    work = Flaky()
    bench.run(lambda job: {"is": job.step("ask", work)})
    bench.run()
    assert work.calls == 1


def test_cancelled_is_no_failure_of_a_step(bench: Bench) -> None:
    assert not issubclass(CancelledError, PermanentError)


def test_a_change_is_taken_only_by_jobs_that_have_not_passed_it(bench: Bench) -> None:
    bench.run(lambda job: {"signed": job.is_changed("sign")})
    assert bench.look().result == {"signed": True}


def test_a_job_that_took_a_change_takes_it_again_after_a_crash(bench: Bench) -> None:
    def workflow(job: Job) -> JsonObject:
        is_changed = job.is_changed("sign")
        return {"signed": is_changed, "is": job.step("ask", dies_once)}

    deaths = [CrashError()]

    def dies_once() -> str:
        if deaths:
            raise deaths.pop()
        return "at last"

    with pytest.raises(CrashError):
        bench.run(workflow)
    assert bench.run().result == {"signed": True, "is": "at last"}


def test_two_steps_of_one_name_have_a_result_each(bench: Bench) -> None:
    work = Flaky(value=1)
    job = bench.run(lambda job: {"are": [job.step("ask", work), job.step("ask", lambda: 2)]})
    assert job.result == {"are": [1, 2]}
    assert [step.name for step in job.steps] == ["ask", "ask (2)"]
