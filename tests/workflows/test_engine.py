"""DBOS itself, in this process: one engine at a time, as in a jobs process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from dbos import DBOS
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from domain.errors import InvalidInputError
from domain.job import JobRecord, JobState, JsonObject, NewJob, Profile, StepState
from domain.ports import Clock
from providers.storage import Folder
from store import migrate
from store.backup.archive import Reader
from store.backup.dump import back_up
from store.backup.restore import restore
from store.database import Database
from store.jobs.execution import JobExecution
from store.jobs.jobs import Jobs
from store.schema import job_steps
from tests.support.clock import FakeClock
from tests.support.harness import sqlite_url
from tests.support.stack import wait_until
from workflows.engine import Engine
from workflows.engine_database import engine_for
from workflows.execution import Execution
from workflows.kind import Job, JobContext, JobFailure, JobKind, OnFailure, by_name
from workflows.maintenance import purge_expired, restore_active
from workflows.steps import InterruptedJobError

Workflow = Callable[[Job], JsonObject]


@dataclass(frozen=True, slots=True)
class Earlier(Execution):
    """Executes jobs with `begin` instead, if there is one."""

    begin: Callable[[JobExecution, str], None] | None = None

    def run(self, job_id: str, phase: int = 0) -> None:
        if self.begin is None:
            Execution.run(self, job_id, phase)
        else:
            self.begin(self.runs, job_id)


class Works:
    """A database, and engines over it that begin and end as the test says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rollcall.db"
        self.database, self.clock = Database(sqlite_url(folder)), FakeClock()
        migrate.upgrade(self.database)
        self.jobs, self.storage = Jobs(self.database), Folder(folder / "storage")

    @contextmanager
    def engine(
        self,
        workflow: Workflow,
        executor: str = "here-0",
        clock: Clock | None = None,
        *,
        read: Callable[[JsonObject], JsonObject] = dict,
        on_failure: OnFailure | None = None,
        begin: Callable[[JobExecution, str], None] | None = None,
    ) -> Iterator[Engine]:
        stopped = Event()
        kind = JobKind("task", Profile.REALTIME, read, lambda job, _: workflow(job), on_failure)
        execution = Earlier(
            begin=begin,
            executor=executor,
            kinds=by_name(kind),
            services=JobContext(clock or self.clock, self.storage),
            runs=JobExecution(self.database),
            pause=stopped.wait,
            announce=lambda _: None,
        )
        engine = Engine(execution, str(self.database.url), set(Profile))
        engine.launch({})
        try:
            yield engine
        finally:
            stopped.set()
            engine.close(0)

    def submit(self, engine: Engine) -> JobRecord:
        job, _ = self.jobs.add(NewJob("task", Profile.REALTIME, {"say": "Grüße"}), self.clock.now())
        engine.start(job)
        engine.start(job)
        return job

    def look(self, job: JobRecord) -> JobRecord:
        found = self.jobs.get(job.id)
        assert found is not None
        return found

    def await_end(self, job: JobRecord) -> JobRecord:
        wait_until(lambda: self.look(job).state.is_final, "the end")
        return self.look(job)


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    found = Works(tmp_path)
    yield found
    found.database.close()


class Halt:
    """Work that interrupts the process the first time."""

    def __init__(self) -> None:
        self.reached = Event()

    def __call__(self) -> str:
        if not self.reached.is_set():
            self.reached.set()
            raise InterruptedJobError
        return "done"


class TwoSteps:
    """A workflow whose second step interrupts the process the first time; `firsts` counts the first."""

    def __init__(self) -> None:
        self.firsts = 0
        self.halt = Halt()

    def __call__(self, job: Job) -> JsonObject:
        return {"first": job.step("first", self._first), "second": job.step("second", self.halt)}

    def _first(self) -> int:
        self.firsts += 1
        return self.firsts


def test_the_next_process_of_an_executor_takes_up_what_the_last_one_left(works: Works) -> None:
    workflow = TwoSteps()
    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert workflow.halt.reached.wait(20)
    assert works.look(job).state is JobState.RUNNING
    with works.engine(workflow):
        ended = works.await_end(job)
    assert (ended.result, workflow.firsts) == ({"first": 1, "second": "done"}, 1)


def test_another_executor_leaves_it_alone_until_it_recovers_it(works: Works) -> None:
    workflow = TwoSteps()
    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert workflow.halt.reached.wait(20)
    with works.engine(workflow, "there-0") as engine:
        assert engine.executors() == {"here-0"}
        assert engine.recover("here-0") == 1
        ended = works.await_end(job)
        wait_until(lambda: engine.executors() == set(), "nobody with work in hand")
        assert engine.recover("here-0") == 0
    assert (ended.state, workflow.firsts) == (JobState.SUCCEEDED, 1)


def test_a_changed_workflow_keeps_running_jobs_on_their_way(works: Works) -> None:
    halt = Halt()

    def before(job: Job) -> JsonObject:
        return {
            "is": [
                job.step("write", lambda: "letter"),
                job.step("send", lambda: "sent"),
                job.step("file", halt),
            ]
        }

    def after(job: Job) -> JsonObject:
        done = [job.step("write", lambda: "letter")]
        if job.is_changed("sign the letter"):
            done.append(job.step("sign", lambda: "signed"))
        return {"is": [*done, job.step("send", lambda: "sent"), job.step("file", lambda: "filed")]}

    with works.engine(before) as engine:
        old = works.submit(engine)
        assert halt.reached.wait(20)
    with works.engine(after) as engine:
        new = works.submit(engine)
        assert works.await_end(old).result == {"is": ["letter", "sent", "filed"]}
        assert works.await_end(new).result == {"is": ["letter", "signed", "sent", "filed"]}


def test_a_job_under_way_that_the_next_release_cannot_read_is_compensated(works: Works) -> None:
    workflow, refunds = TwoSteps(), list[str]()

    def unread(given: JsonObject) -> JsonObject:
        raise InvalidInputError(dict.fromkeys(given, "is not a known field"))

    def refund(job: Job, given: JsonObject, _: JobFailure) -> None:
        job.step("refund", lambda: refunds.append(str(given["say"])))

    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert workflow.halt.reached.wait(20)
    with works.engine(workflow, read=unread, on_failure=refund):
        ended = works.await_end(job)
    assert (ended.state, ended.error) == (JobState.FAILED, "say: is not a known field")
    assert refunds == ["Grüße"]


def test_everything_is_kept_as_json(works: Works) -> None:
    with works.engine(lambda job: {"said": job.step("say", lambda: ["Grüße", 1, None])}) as engine:
        works.await_end(works.submit(engine))
    with sqlite3.connect(works.path) as connection:
        (kept,) = connection.execute("SELECT inputs, serialization FROM workflow_status").fetchall()
        assert connection.execute("SELECT * FROM operation_outputs").fetchall() == []
        ((outcome,),) = connection.execute("SELECT outcome FROM job_steps").fetchall()
    assert kept == (None, "rollcall_json")
    assert outcome == '{"value": ["Gr\\u00fc\\u00dfe", 1, null]}'


def test_old_jobs_are_purged_everywhere(works: Works) -> None:
    def workflow(job: Job) -> JsonObject:
        job.step("write", lambda: job.services.storage.put(f"jobs/{job.id}/a", b"a", "text/plain"))
        return {}

    with works.engine(workflow) as engine:
        old = works.submit(engine)
        works.await_end(old)
        wait_until(lambda: engine.executors() == set(), "an engine that is done")
        works.clock.advance(7 * 86_400 + 1)
        young = works.submit(engine)
        works.await_end(young)
        wait_until(lambda: engine.executors() == set(), "an engine that is done")
        times = {"now": works.clock.now(), "lifetime": timedelta(days=7)}
        assert purge_expired(works.jobs, works.storage, engine, **times) == 1  # type: ignore[arg-type]
        assert purge_expired(works.jobs, works.storage, engine, **times) == 0  # type: ignore[arg-type]
    assert works.jobs.get(old.id) is None
    assert works.look(young).state is JobState.SUCCEEDED
    assert works.storage.get(f"jobs/{young.id}/a") == b"a"
    with sqlite3.connect(works.path) as connection:
        kept = connection.execute("SELECT workflow_uuid FROM workflow_status").fetchall()
        steps = connection.execute("SELECT DISTINCT job_id FROM job_steps").fetchall()
    assert kept == steps == [(young.id,)]


def test_jobs_that_the_engine_has_lost_are_queued_again(works: Works) -> None:
    workflow = TwoSteps()
    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert workflow.halt.reached.wait(20)
        works.jobs.mark_enqueued(job.id, works.clock.now())
        restore_active(works.jobs, engine)
        assert works.look(job).state is JobState.RUNNING
        engine.purge([job.id])
        restore_active(works.jobs, engine)
    assert works.look(job).state is JobState.QUEUED
    assert works.jobs.enqueued(0, 10) == {}


class FailingClock(FakeClock):
    """A clock that fails once, when it is asked after `is_to_fail` was set."""

    is_to_fail = False

    def now(self) -> datetime:
        if self.is_to_fail:
            self.is_to_fail = False
            raise ZeroDivisionError
        return super().now()


def test_a_job_that_an_error_outside_of_its_steps_ended_goes_on_after_them(works: Works) -> None:
    clock, taken = FailingClock(), list[str]()

    def workflow(job: Job) -> JsonObject:
        job.step("first", lambda: taken.append("first"))
        job.step("second", lambda: taken.append("second"))
        clock.is_to_fail = "end" not in taken
        taken.append("end")
        return {}

    with works.engine(workflow, clock=clock) as engine:
        job = works.submit(engine)
        works.jobs.mark_enqueued(job.id, works.clock.now())
        wait_until(lambda: engine.ended([job.id]) == [job.id], "an engine that gave up")
        assert works.look(job).state is JobState.RUNNING
        restore_active(works.jobs, engine)
        assert works.await_end(job).state is JobState.SUCCEEDED
        assert engine.ended([job.id]) == []
    assert taken == ["first", "second", "end", "end"]


def test_a_step_that_outlives_the_engine_is_stored_and_the_next_one_is_left_to_its_successor(
    works: Works,
) -> None:
    begun, released, steps = Event(), Event(), list[str]()

    def work() -> None:
        begun.set()
        released.wait(20)
        steps.append("long")

    def workflow(job: Job) -> JsonObject:
        try:
            job.step("long", work)
            job.step("next", lambda: steps.append("next"))
        except Exception as error:
            steps.append(repr(error))
            raise
        finally:
            released.clear()
        return {}

    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert begun.wait(20)
    released.set()
    wait_until(lambda: not released.is_set(), "the end of the step")
    assert works.look(job).state is JobState.RUNNING
    with works.engine(workflow):
        assert works.await_end(job).state is JobState.SUCCEEDED
    assert steps == ["long", "next"]


def test_a_job_that_an_earlier_release_left_continues_after_the_steps_that_dbos_kept(works: Works) -> None:
    workflow = TwoSteps()
    workflow.halt.reached.set()

    def begin(runs: JobExecution, job_id: str) -> None:
        """Run the first step as earlier releases did: DBOS kept its outcome."""
        lease = runs.begin(job_id, "here-0", works.clock.now())
        assert lease is not None
        runs.begin_attempt(lease, "first", works.clock.now())
        DBOS.run_step({"name": "first"}, lambda: {"value": "by the earlier release"})
        runs.end_step(lease, "first", StepState.SUCCEEDED, {}, works.clock.now())
        with works.database.write() as connection:
            connection.execute(update(job_steps).values(outcome=None))
        begun.set()
        raise InterruptedJobError

    begun = Event()
    with works.engine(workflow, begin=begin) as engine:
        job = works.submit(engine)
        assert begun.wait(20)
    with works.engine(workflow):
        assert works.await_end(job).result == {"first": "by the earlier release", "second": "done"}
    assert workflow.firsts == 0


def test_a_full_disk_is_a_lost_connection_to_the_engine(works: Works) -> None:
    connections = engine_for(str(works.database.url))
    with connections.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OperationalError, match="disk is full") as full:
            connection.exec_driver_sql("INSERT INTO credit_accounts VALUES (?, 0)", ("x" * 1_000_000,))
    assert full.value.connection_invalidated
    connections.dispose()


def test_a_job_that_has_ended_since_the_backup_starts_again_after_the_restore(
    works: Works, tmp_path: Path
) -> None:
    workflow, file = TwoSteps(), tmp_path / "backup.zip"

    def no_progress(*_: int) -> None:
        """Looks at the progress."""

    with works.engine(workflow) as engine:
        job = works.submit(engine)
        assert workflow.halt.reached.wait(20)
        works.jobs.mark_enqueued(job.id, works.clock.now())
        back_up(works.database, file, release="1", secrets={}, now=works.clock.now(), progress=no_progress)
    with works.engine(workflow):
        works.await_end(job)
    with file.open("rb") as opened:
        restore(works.database, Reader(opened), replace=True, progress=no_progress)
    assert works.look(job).state is JobState.RUNNING
    with works.engine(workflow) as engine:
        restore_active(works.jobs, engine)
        assert works.look(job).state is JobState.QUEUED
        engine.start(works.look(job))
        assert works.await_end(job).result == {"first": 2, "second": "done"}


def test_a_job_that_waits_for_its_turn_can_be_hastened(works: Works) -> None:
    with works.engine(lambda _: {}) as engine:
        job, _ = works.jobs.add(NewJob("task", Profile.BATCH, {}), works.clock.now())
        engine.start_now(job.id)
        engine.start(job)
        engine.start_now(job.id)
        assert works.await_end(job).state is JobState.SUCCEEDED


def test_a_kind_that_this_version_does_not_know_fails(works: Works) -> None:
    with works.engine(lambda _: {}) as engine:
        job, _ = works.jobs.add(NewJob("dance", Profile.REALTIME, {}), works.clock.now())
        engine.start(job)
        ended = works.await_end(job)
    assert (ended.state, ended.error) == (JobState.FAILED, "this version of Rollcall knows no job 'dance'")
