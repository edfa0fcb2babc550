"""Every role on PostgreSQL behind PgBouncer in transaction mode."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.job import JobState
from tests.support.jobs_cluster import jobs_cluster
from tests.support.pgbouncer import PgBouncer, pooling
from tests.support.postgres import require_binaries, running
from tests.support.stack import environment, stack, wait_until

JOBS = (
    12  # each of three steps, over two processes: every statement comes more often than it takes to prepare
)


@pytest.fixture
def pooler() -> Iterator[PgBouncer]:
    with running(require_binaries()) as server, pooling(server) as found:
        server.create("rollcall")
        yield found


def test_a_demo_seat_opens_and_its_mail_leaves(tmp_path: Path, pooler: PgBouncer) -> None:
    settings = {"DATABASE_URL": pooler.url("rollcall"), "RENOTIFY_COOLDOWN_SECONDS": "0"}
    with stack(tmp_path / "home", settings) as found:
        outbox = tmp_path / "home" / "outbox"
        wait_until(lambda: any(outbox.glob("*.eml")), "a mail in the outbox", seconds=90)
        wait_until(found.is_complete, "a process of every role")
        wait_until(lambda: found.get("/health").json()["status"] == "healthy", "a healthy system")
        log = found.log.read_text()
    assert "Traceback" not in log
    assert "prepared statement" not in log


def test_jobs_are_carried_out_by_processes_that_die(
    tmp_path: Path, redis_url: str, pooler: PgBouncer
) -> None:
    with jobs_cluster(tmp_path, redis_url, DATABASE_URL=pooler.url("rollcall")) as cluster:
        process = cluster.start()
        first = cluster.submit(seconds=0.3)
        cluster.await_line(first, "make:begun")
        cluster.kill(process)
        cluster.start()
        cluster.start("elsewhere")
        jobs = [first, *(cluster.submit() for _ in range(JOBS))]
        assert {cluster.await_end(job).state for job in jobs} == {JobState.SUCCEEDED}
        assert "prepared statement" not in (tmp_path / "log").read_text()


def test_a_pooler_that_keeps_no_transaction_together_is_refused_by_name(tmp_path: Path) -> None:
    with running(require_binaries()) as server, pooling(server, "statement") as pooler:
        server.create("rollcall")
        given = environment(tmp_path / "home", DATABASE_URL=pooler.url("rollcall"))
        for role in ("web", "jobs"):
            command = [sys.executable, "-m", "rollcall", role]
            ended = subprocess.run(
                command, env=given, capture_output=True, text=True, timeout=60, check=False
            )
            assert ended.returncode == 78, ended.stderr
            assert "DATABASE_URL leads to a pooler in statement mode" in ended.stderr
            assert "Traceback" not in ended.stderr
