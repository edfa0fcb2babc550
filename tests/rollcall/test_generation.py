"""Generation by the real engine, with its process killed while the provider works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actors.jobs import cancel, submit
from actors.services import JobRuntime
from domain.job import JobRecord, JobState
from domain.money import Balance
from providers.storage import StorageSettings
from tests.standins.gemini import GeminiStandIn
from tests.support import stack
from tests.support.jobs_cluster import ROOT, JobsCluster, jobs_cluster
from tests.support.postgres import require_binaries, running
from tests.support.stack import wait_until


@pytest.fixture
def gemini() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as running:
        yield running
        running.go_on.set()


@contextmanager
def crew_of(folder: Path, redis_url: str, gemini: GeminiStandIn, **settings: str) -> Iterator[JobsCluster]:
    settings |= {"GEMINI_API_KEY": gemini.api_key, "GEMINI_API_URL": gemini.url}
    with jobs_cluster(folder, redis_url, **settings) as found:
        found.services = replace(found.services, jobs=JobRuntime())
        yield found


@pytest.fixture
def cluster(tmp_path: Path, redis_url: str, gemini: GeminiStandIn) -> Iterator[JobsCluster]:
    with crew_of(tmp_path, redis_url, gemini) as found:
        yield found


def start(cluster: JobsCluster, home: str = "home", **settings: str) -> subprocess.Popen[bytes]:
    """The role as it is started for real."""
    given = stack.environment(cluster.folder / home, **cluster.settings | settings)
    with (cluster.folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "rollcall", "jobs"]
        process = subprocess.Popen(command, env=given, cwd=ROOT, stdout=log, stderr=log)
    cluster.processes.append(process)
    return process


def order(cluster: JobsCluster, prompt: str, account: str = "ada") -> JobRecord:
    return submit(cluster.services, "generation", {"account": account, "prompt": prompt})[0]


def prompt_of(request: dict[str, Any]) -> str:
    return str(request["contents"][0]["parts"][0]["text"])


def test_pictures_of_an_account_are_made_in_order_and_paid_once_though_the_process_is_killed(
    cluster: JobsCluster, gemini: GeminiStandIn
) -> None:
    ledger = cluster.services.store.credits
    ledger.grant("ada", 3, "key", cluster.services.clock.now())
    gemini.delay_seconds = 30
    process = start(cluster)
    prompts = ["an owl", "a fox", "a hare", "a wolf"]
    jobs = [order(cluster, prompt) for prompt in prompts]
    wait_until(lambda: len(gemini.requests) == 1, "a request of Gemini")
    cancel(cluster.services, jobs[1].id)
    assert ledger.balance("ada") == Balance(available=2, held=1)

    cluster.kill(process)
    gemini.go_on.set()
    start(cluster)

    ended = [cluster.await_end(job) for job in jobs]
    assert [job.state for job in ended] == [
        JobState.SUCCEEDED,
        JobState.CANCELLED,
        JobState.SUCCEEDED,
        JobState.SUCCEEDED,
    ]
    assert ledger.balance("ada") == Balance(available=0, held=0, spent=3)
    assert [prompt_of(request) for request in gemini.requests] == ["an owl", "an owl", "a hare", "a wolf"]
    storage = cluster.system.settings.of(StorageSettings).open(cluster.system.settings.home)
    for job in (ended[0], ended[2], ended[3]):
        assert job.result is not None
        assert storage.size(str(job.result["artifact"])) == job.result["bytes"]


def test_the_whole_fleet_makes_no_more_pictures_at_a_time_than_it_may(
    tmp_path: Path, redis_url: str, gemini: GeminiStandIn
) -> None:
    with running(require_binaries()) as server:
        server.create("fleet")
        with crew_of(tmp_path, redis_url, gemini, DATABASE_URL=server.url("fleet")) as cluster:
            require_one_at_a_time(cluster, gemini)


def require_one_at_a_time(cluster: JobsCluster, gemini: GeminiStandIn) -> None:
    accounts = [f"account-{number}" for number in range(6)]
    for account in accounts:
        cluster.services.store.credits.grant(account, 1, "key", cluster.services.clock.now())
    gemini.delay_seconds = 0.3
    for home in ("one", "two"):
        start(cluster, home, GENERATION_CONCURRENCY="1")

    ended = [cluster.await_end(job) for job in [order(cluster, "an owl", account) for account in accounts]]

    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    spans = sorted((job.started_at, job.finished_at) for job in ended)
    assert all(first[1] <= then[0] for first, then in pairwise(spans))  # type: ignore[operator]
