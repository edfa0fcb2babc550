"""The driver of a stack that is shot at: two lanes, even and odd sections, each from check to check.

The lanes run side by side, since no section is in both; the season's clock of a lane stands during its runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import OK

import httpx

from bench.api import OVER, Rollcall, Run
from bench.chaos.patience import PAUSE_SECONDS
from bench.replay.season import TERM, Check
from bench.replay.server import ReplayServer

TRIGGER_SECONDS = 120.0
LANES = ("even", "odd")


@dataclass(frozen=True, slots=True)
class Round:
    """A check of the season and the run that carried it out, over or not, with how long it took.

    Shape: `given_up` are the sections of which the scraper told, and the run kept nothing.
    """

    check: Check
    run: Run
    seconds: float
    given_up: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        """Whether the run has come to an end."""
        return self.run.state in OVER


class Lane:
    """Plays the checks of one stagger; `when_started` hears of each run as soon as it is triggered."""

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

    def play(self, checks: Sequence[Check]) -> list[Round]:
        """The rounds of `checks`, up to one that does not come to an end."""
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
        run = self._api.finish(run_id, seconds=self._run_seconds, pause_seconds=PAUSE_SECONDS)
        seconds = time.monotonic() - start
        return Round(check, run, seconds, self._given_up(check, run) if run.failed else frozenset())

    def _given_up(self, check: Check, run: Run) -> frozenset[str]:
        """Sections that were answered too late, or to workers that died, until they were given up."""
        told = dict(self._server.told)  # the other lane goes on
        shown = [section for (section, at), status in told.items() if (at, status) == (check.time_ms, OK)]
        return frozenset(each for each in shown if check.covers(each) and not self._is_kept(each, run))

    def _is_kept(self, section: str, run: Run) -> bool:
        seen, started = self._api.seen_at("scraper", TERM, section), run.started_at
        return seen is not None and started is not None and seen >= started  # all of one form, in UTC

    def _trigger(self, stagger: str) -> str:
        """Trigger a run once: when the answer is lost, the run may be there all the same."""
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
            time.sleep(PAUSE_SECONDS)


def play(lane: Lane, checks: Sequence[Check]) -> list[Round]:
    """The rounds of `checks` in the order of the season, each lane in a thread of its own."""
    by_lane = [[check for check in checks if check.stagger == stagger] for stagger in LANES]
    with ThreadPoolExecutor(len(LANES)) as threads:
        rounds = [each for played in threads.map(lane.play, by_lane) for each in played]
    return sorted(rounds, key=lambda each: each.check.time_ms)
