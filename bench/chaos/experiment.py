"""A chaos experiment: a replayed season with injected faults, from the first process to the last mail."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx

from bench.api import RetryTransport
from bench.chaos.broker import BrokerView
from bench.chaos.drivers import Driver, Round, run_checks
from bench.chaos.fault_injector import FaultInjector, FaultSchedule, RedisFlusher
from bench.chaos.recovery import Recoveries
from bench.chaos.verification import Answers
from bench.programs import Programs
from bench.replay.driver import collect, register_watches
from bench.replay.oracle import Mails
from bench.replay.season import Check, Season
from bench.replay.server import Faults, ReplayServer
from bench.replay.system import ReplaySystem
from bench.stack import SCRAPER_TOKEN
from bench.valkey import Valkey

MAIL_SECONDS = 400.0  # a batch whose sender died waits two minutes, and its provider may fail as well
SCRAPER_TIMEOUT_SECONDS = 2
BREAKER = {"BREAKER_RECOVERY_SECONDS": "5"}
_ROLES_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The injected faults: `schedule` in the stack, and the shares of failures in the services around it."""

    schedule: FaultSchedule
    scraper_failures: float = 0.1
    mail_failures: float = 0.2
    mail_lost_answers: float = 0.2
    latency_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The observed rounds, scraper answers and mails, the injected faults and the recoveries from them."""

    rounds: Sequence[Round]
    seconds: float
    answers: Answers
    sent: Mails
    injected: Counter[str]
    recoveries: Recoveries
    faults: Mapping[str, int]


class Experiment:
    """The stack, the services around it and the fault injector, over `season`.

    Raises: ProgramError when a program does not start.
    """

    def __init__(self, programs: Programs, home: Path, season: Season, plan: FaultPlan) -> None:
        self._plan = plan
        seed = plan.schedule.seed
        faults = Faults(plan.scraper_failures, seed, hang_seconds=2.0 * SCRAPER_TIMEOUT_SECONDS)
        self.server = ReplayServer(season, SCRAPER_TOKEN, faults, plan.latency_seconds)
        self._valkey = Valkey(programs, home)
        self._programs = programs
        self._home = home

    def run(
        self, checks: Sequence[Check], watchers: Mapping[str, Sequence[str]], *, run_seconds: float
    ) -> ExperimentResult:
        """Run `checks` while faults are injected by the schedule."""
        recoveries = Recoveries(BrokerView(self._valkey.url))
        injector = FaultInjector(self._programs, self._valkey, recoveries, self._plan.schedule)
        with self.server:
            system = self._open(watchers)
            self._inject_mail_faults(system)
            start = time.monotonic()
            with injector.running():
                rounds = run_checks(Driver(system.stack.api, self.server, run_seconds), checks)
            seconds = time.monotonic() - start
            return self._end(system, rounds, seconds, injector.injected, recoveries)

    def run_with_flushes(
        self, checks: Sequence[Check], watchers: Mapping[str, Sequence[str]], *, run_seconds: float
    ) -> ExperimentResult:
        """Run `checks`, and flush Redis once in the middle of each run."""
        flusher = RedisFlusher(self._valkey, self.server, Random(self._plan.schedule.seed))  # noqa: S311 - no secret
        with self.server:
            system = self._open(watchers)
            start = time.monotonic()
            rounds = run_checks(Driver(system.stack.api, self.server, run_seconds, flusher.flush), checks)
            seconds = time.monotonic() - start
            recoveries = Recoveries(BrokerView(self._valkey.url))
            return self._end(system, rounds, seconds, Counter(flush=flusher.flushes), recoveries)

    def _open(self, watchers: Mapping[str, Sequence[str]]) -> ReplaySystem:
        settings = {
            "REDIS_URL": self._valkey.url,
            "SCRAPER_URL": self.server.url,
            "SCRAPER_TIMEOUT_SECONDS": str(SCRAPER_TIMEOUT_SECONDS),
            "MAIL_DAILY_CAP": "0",
            **BREAKER,
        }
        system = ReplaySystem(self._programs, self._home, settings, RetryTransport(_ROLES_SECONDS))
        system.start()
        register_watches(system.stack.api, watchers)
        return system

    def _inject_mail_faults(self, system: ReplaySystem) -> None:
        rules = [
            {"kind": "lose_answer", "probability": self._plan.mail_lost_answers},
            {"kind": "error", "probability": self._plan.mail_failures},
        ]
        rules_body = {"seed": self._plan.schedule.seed, "rules": rules}
        httpx.put(f"{system.resend_url}/control/faults", json=rules_body).raise_for_status()

    def _end(
        self,
        system: ReplaySystem,
        rounds: Sequence[Round],
        seconds: float,
        injected: Counter[str],
        recoveries: Recoveries,
    ) -> ExperimentResult:
        sent = collect(system.stack.api, system.mailbox, MAIL_SECONDS)
        answers = Answers(dict(self.server.statuses))
        lost = httpx.get(f"{system.resend_url}/control/stats").json()["faults"]
        faults = {f"scraper_{kind}": n for kind, n in self.server.failures.items()}
        faults |= {f"mail_{kind}": n for kind, n in lost.items()}
        return ExperimentResult(rounds, seconds, answers, sent, injected, recoveries, faults)
