"""Rollcall as separate programs around one worker process, and the services that they use."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.api import Run
from bench.programs import Programs
from bench.stack import SCRAPER_TOKEN, Stack, start_stand_in
from bench.usage import Usage, measure
from bench.valkey import Traffic, Valkey

TERM = "2261"
RUN_SECONDS = 180.0
RUN_PAUSE_SECONDS = 0.05


def start_scraper(programs: Programs, latency_ms: int) -> str:
    """The URL of a scraper that takes `latency_ms` to answer."""
    options = ["--token", SCRAPER_TOKEN, "--latency-ms", str(latency_ms)]
    return start_stand_in(programs, "scraper", "/control/stats", *options)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run as Rollcall reports it, its duration as measured here, and the resources of the worker."""

    run: Run
    seconds_outside: float
    cpu_ms: float
    usage: Usage
    traffic: Traffic

    @property
    def seconds(self) -> float:
        """The duration that Rollcall reports; the measured one if the run never ended."""
        if self.run.started_at is None or self.run.finished_at is None:
            return self.seconds_outside
        started, finished = map(datetime.fromisoformat, (self.run.started_at, self.run.finished_at))
        return (finished - started).total_seconds()


class CheckSystem:
    """A web role, one worker process and a scheduler over a slow scraper.

    Shape: `scraper_url` is where that scraper listens. Raises: ProgramError when a program does not start.
    """

    def __init__(
        self, programs: Programs, home: Path, *, threads: int, concurrency: int, latency_ms: int
    ) -> None:
        self.scraper_url = start_scraper(programs, latency_ms)
        self._programs = programs
        self._valkey = Valkey(programs, home)
        settings = {
            "REDIS_URL": self._valkey.url,
            "SCRAPER_URL": self.scraper_url,
            "SCRAPER_MAX_CONCURRENCY": str(concurrency),
        }
        self._stack = Stack(programs, home, settings)
        self._stack.start("web")
        self._stack.wait_until_ready("web")
        self._stack.start("worker", "--threads", str(threads), "--processes", "1")
        self._stack.start("scheduler")
        self._stack.wait_for_worker()

    def watch(self, sections: Iterable[str]) -> None:
        """Add one watch for each of `sections`."""
        self._stack.api.import_watches(
            ("student@campus.test", "scraper", TERM, number) for number in sections
        )

    def check_all(self) -> Measured:
        """One forced run through all sections."""
        before, traffic, start = self._usage(), self._valkey.traffic(), time.perf_counter()
        run_id = self._stack.api.check("all")
        run = self._stack.api.finish(run_id, seconds=RUN_SECONDS, pause_seconds=RUN_PAUSE_SECONDS)
        seconds, usage = time.perf_counter() - start, self._usage()
        return Measured(run, seconds, usage.cpu_ms_since(before), usage, self._valkey.traffic() - traffic)

    def _usage(self) -> Usage:
        return measure(self._programs.processes("worker"))
