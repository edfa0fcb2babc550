"""The drivers of a chaos experiment: one for even and one for odd sections, each from check to check.

They run concurrently, since no section is in both; the season's clock of a driver stands during its runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import OK

import httpx

from bench.api import FINAL_STATES, RETRY_PAUSE_SECONDS, Rollcall, Run
from bench.replay.season import TERM, Check
from bench.replay.server import ReplayServer

TRIGGER_SECONDS = 120.0
STAGGERS = ("even", "odd")


@dataclass(frozen=True, slots=True)
class Round:
    """A check of the season and the run that carried it out, over or not, with how long it took.

    Shape: `given_up` are the sections that the scraper answered for and that the run did not commit.
    """

    check: Check
    run: Run
    seconds: float
    given_up: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.run.state in FINAL_STATES


class Driver:
    """Runs the checks of one stagger; calls `when_started` as soon as a run is triggered."""

    def __init__(
        self,
        api: Rollcall,
        server: ReplayServer,
        run_seconds: float,
        when_started: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._server = server
        self._run_seconds = run_seconds
        self._when_started = when_started

    def run(self, checks: Sequence[Check]) -> list[Round]:
        """The rounds of `checks`, up to one that does not end."""
        rounds: list[Round] = []
        for check in checks:
            rounds.append(self._round(check))
            if not rounds[-1].is_over:
                break
        return rounds

    def _round(self, check: Check) -> Round:
        start = time.monotonic()
        self._server.show(check)
        run_id = self._trigger(check.stagger)
        self._when_started()
        run = self._api.finish(run_id, seconds=self._run_seconds, pause_seconds=RETRY_PAUSE_SECONDS)
        seconds = time.monotonic() - start
        return Round(check, run, seconds, self._given_up(check, run) if run.failed else frozenset())

    def _given_up(self, check: Check, run: Run) -> frozenset[str]:
        """Sections whose answers came too late, or to workers that died, until the run gave them up."""
        statuses = dict(self._server.statuses)  # the other driver continues
        answered = {section for (section, at), code in statuses.items() if (at, code) == (check.time_ms, OK)}
        return frozenset(
            section for section in answered if check.covers(section) and not self._is_committed(section, run)
        )

    def _is_committed(self, section: str, run: Run) -> bool:
        observed, started = self._api.observed_at("scraper", TERM, section), run.started_at
        return observed is not None and started is not None and observed >= started  # one format, in UTC

    def _trigger(self, stagger: str) -> str:
        """Trigger a run once: if the response is lost, the run may exist nevertheless."""
        before = self._api.newest_run(stagger)
        end = time.monotonic() + TRIGGER_SECONDS
        while True:
            try:
                return self._api.check(stagger)
            except httpx.HTTPError:
                newest = self._api.newest_run(stagger)
                if newest is not None and (before is None or newest.run_id != before.run_id):
                    return newest.run_id
                if time.monotonic() > end:
                    raise
            time.sleep(RETRY_PAUSE_SECONDS)


def run_checks(driver: Driver, checks: Sequence[Check]) -> list[Round]:
    """The rounds of `checks` in the order of the season, each stagger in its own thread."""
    by_stagger = [[check for check in checks if check.stagger == stagger] for stagger in STAGGERS]
    with ThreadPoolExecutor(len(STAGGERS)) as threads:
        rounds = [each for rounds in threads.map(driver.run, by_stagger) for each in rounds]
    return sorted(rounds, key=lambda each: each.check.time_ms)
