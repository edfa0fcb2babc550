"""Real jobs processes over one database and one Redis, which the test accesses as well."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from actors.jobs import submit
from actors.services import JobRuntime, Services
from domain.job import JobRecord
from rollcall import wiring
from rollcall.home import prepare_home
from rollcall.settings import parse
from rollcall.wiring import System
from store import migrate
from tests.support import stack
from tests.support.job_kinds import KINDS, lines
from tests.support.stack import wait_until

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class JobsCluster:
    """Jobs processes, each with its own home (a machine), and one system that observes them."""

    folder: Path
    settings: dict[str, str]
    system: System
    services: Services
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def start(self, home: str = "home", *arguments: str) -> subprocess.Popen[bytes]:
        """Start a jobs process on the machine of `home`."""
        command = [sys.executable, "-m", "tests.support.jobs_process", *arguments]
        given = stack.environment(self.folder / home, **self.settings)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, env=given, cwd=ROOT, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def submit(self, kind: str = "errand", **given: Any) -> JobRecord:
        return submit(self.services, kind, {"journal": str(self.journal)} | given)[0]

    def reload(self, job: JobRecord) -> JobRecord:
        found = self.services.store.jobs.get(job.id)
        assert found is not None
        return found

    def await_end(self, job: JobRecord, seconds: float = 60) -> JobRecord:
        wait_until(lambda: self.reload(job).state.is_final, f"the end of {job.kind}", seconds)
        return self.reload(job)

    def await_line(self, job: JobRecord, word: str) -> None:
        wait_until(lambda: word in self.lines(job), f"{word} in {self.lines(job)}")

    def lines(self, job: JobRecord) -> list[str]:
        return lines(self.journal, job.id)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(timeout=40)


@contextmanager
def jobs_cluster(folder: Path, redis_url: str, **settings: str) -> Iterator[JobsCluster]:
    """A cluster without processes; those that the test starts are stopped at the end."""
    given = {"REDIS_URL": redis_url} | settings
    found = prepare_home(parse(given | {"ROLLCALL_HOME": str(folder / "home")}))
    system = wiring.build(found)
    migrate.upgrade(system.database)
    services = replace(system.services, jobs=JobRuntime(KINDS))
    cluster = JobsCluster(folder, given | {"DATABASE_URL": wiring.database_url(found)}, system, services)
    try:
        yield cluster
    finally:
        cluster.stop()
        system.close()
