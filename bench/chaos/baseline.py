"""The baseline, Dramatiq's defaults: the time until the message of a killed worker is processed again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import redis

from bench.chaos.baseline_worker import QUEUE, open_broker
from bench.programs import START_SECONDS, Programs, poll
from bench.stack import ROOT, clean_environment
from bench.valkey import Valkey


class Baseline:
    """Concurrent trials on a separate server, each with a queue, a worker and a replacement worker.

    Raises: ProgramError when the server does not start.
    """

    def __init__(self, programs: Programs, home: Path, *, trials: int, bound_seconds: float) -> None:
        home.mkdir()
        self._programs = programs
        self._trials = trials
        self._bound_seconds = bound_seconds
        self._valkey = Valkey(programs, home, name="baseline-valkey")
        self._client: redis.Redis = redis.Redis.from_url(self._valkey.url)

    @contextmanager
    def running(self) -> Iterator[list[Future[float | None]]]:
        """Start the trials; leaving the block waits for them."""
        with ThreadPoolExecutor(max(1, self._trials)) as threads:
            yield [threads.submit(self._run_trial, number) for number in range(self._trials)]

    def _run_trial(self, number: int) -> float | None:
        """Seconds from the kill until the message was processed again; None beyond the bound."""
        namespace = f"trial-{number}"
        broker = open_broker(self._valkey.url, namespace)
        broker.actors["work"].send()
        self._start(f"{namespace}-first", namespace)
        self._await_starts(namespace, 1, START_SECONDS)
        self._programs.kill(f"{namespace}-first")
        killed_at = time.monotonic()
        self._start(f"{namespace}-replacement", namespace)
        try:
            self._await_starts(namespace, 2, self._bound_seconds)
        except TimeoutError:
            return None
        return time.monotonic() - killed_at

    def _start(self, name: str, namespace: str) -> None:
        command = [sys.executable, "-m", "bench.chaos.baseline_worker", self._valkey.url, namespace]
        environment = {**clean_environment(ROOT), "PYTHONPATH": str(ROOT)}
        self._programs.start(name, command, folder=ROOT, environment=environment)

    def _await_starts(self, namespace: str, count: int, seconds: float) -> None:
        poll(
            lambda: int(self._client.llen(f"started:{namespace}")) >= count or None,
            seconds=seconds,
            pause_seconds=0.2,
            what=f"start {count} of the message in {QUEUE} of {namespace}",
        )
