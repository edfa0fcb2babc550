"""A season under fire, from the first process to the last mail."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx

from bench.chaos.artillery import Artillery, Plan
from bench.chaos.broker import BrokerView
from bench.chaos.lanes import Lane, Round, play
from bench.chaos.outcome import Answers
from bench.chaos.patience import PatientTransport
from bench.chaos.recovery import Recoveries
from bench.chaos.wiper import Wiper
from bench.programs import Programs
from bench.replay.faults import Faults
from bench.replay.oracle import Mails
from bench.replay.play import collect, register
from bench.replay.scene import Scene
from bench.replay.season import Check, Season
from bench.replay.server import ReplayServer
from bench.stack import SCRAPER_TOKEN
from bench.valkey import Valkey

MAIL_SECONDS = 400.0  # a batch whose sender died waits two minutes, and its provider may fail as well
SCRAPER_TIMEOUT_SECONDS = 2
BREAKER = {"BREAKER_RECOVERY_SECONDS": "5"}
_ROLES_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong: `plan` here, and the share of failures and of lost answers elsewhere."""

    plan: Plan
    scraper_failures: float = 0.1
    mail_failures: float = 0.2
    mail_lost_answers: float = 0.2
    latency_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class Fought:
    """What was seen: rounds, answers of the scraper, mails sent, and what was done to the stack."""

    rounds: Sequence[Round]
    seconds: float
    answers: Answers
    sent: Mails
    fired: Counter[str]
    recoveries: Recoveries
    faults: Mapping[str, int]


class Battle:
    """The stack, the services it needs and what shoots at it, over `season`.

    Raises: ProgramError when a program does not start.
    """

    def __init__(self, programs: Programs, home: Path, season: Season, trouble: Trouble) -> None:
        self._trouble = trouble
        seed = trouble.plan.seed
        faults = Faults(trouble.scraper_failures, seed, hang_seconds=2.0 * SCRAPER_TIMEOUT_SECONDS)
        self.server = ReplayServer(season, SCRAPER_TOKEN, faults, trouble.latency_seconds)
        self._valkey = Valkey(programs, home)
        self._programs = programs
        self._home = home

    def fight(
        self, checks: Sequence[Check], watchers: Mapping[str, Sequence[str]], *, run_seconds: float
    ) -> Fought:
        """Play `checks` under fire by the plan."""
        recoveries = Recoveries(BrokerView(self._valkey.url))
        guns = Artillery(self._programs, self._valkey, recoveries, self._trouble.plan)
        with self.server:
            scene = self._open(watchers)
            self._spoil(scene)
            start = time.monotonic()
            with guns.firing():
                rounds = play(Lane(scene.stack.api, self.server, run_seconds), checks)
            seconds = time.monotonic() - start
            return self._end(scene, rounds, seconds, guns.fired, recoveries)

    def wipe(
        self, checks: Sequence[Check], watchers: Mapping[str, Sequence[str]], *, run_seconds: float
    ) -> Fought:
        """Play `checks`, and empty Redis once in the middle of each run."""
        wiper = Wiper(self._valkey, self.server, Random(self._trouble.plan.seed))  # noqa: S311 - no secret
        with self.server:
            scene = self._open(watchers)
            start = time.monotonic()
            rounds = play(Lane(scene.stack.api, self.server, run_seconds, wiper.wipe), checks)
            seconds = time.monotonic() - start
            recoveries = Recoveries(BrokerView(self._valkey.url))
            return self._end(scene, rounds, seconds, Counter(wipe=wiper.wipes), recoveries)

    def _open(self, watchers: Mapping[str, Sequence[str]]) -> Scene:
        settings = {
            "REDIS_URL": self._valkey.url,
            "SCRAPER_URL": self.server.url,
            "SCRAPER_TIMEOUT_SECONDS": str(SCRAPER_TIMEOUT_SECONDS),
            "MAIL_DAILY_CAP": "0",
            **BREAKER,
        }
        scene = Scene(self._programs, self._home, settings, PatientTransport(_ROLES_SECONDS))
        scene.start()
        register(scene.stack.api, watchers)
        return scene

    def _spoil(self, scene: Scene) -> None:
        rules = [
            {"kind": "lose_answer", "probability": self._trouble.mail_lost_answers},
            {"kind": "error", "probability": self._trouble.mail_failures},
        ]
        orders = {"seed": self._trouble.plan.seed, "rules": rules}
        httpx.put(f"{scene.resend_url}/control/faults", json=orders).raise_for_status()

    def _end(
        self,
        scene: Scene,
        rounds: Sequence[Round],
        seconds: float,
        fired: Counter[str],
        recoveries: Recoveries,
    ) -> Fought:
        sent = collect(scene.stack.api, scene.mailbox, MAIL_SECONDS)
        answers = Answers(dict(self.server.told))
        lost = httpx.get(f"{scene.resend_url}/control/stats").json()["faults"]
        faults = {f"scraper_{kind}": n for kind, n in self.server.failures.items()}
        faults |= {f"mail_{kind}": n for kind, n in lost.items()}
        return Fought(rounds, seconds, answers, sent, fired, recoveries, faults)
