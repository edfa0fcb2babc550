"""What a replay came to: the figures, and everything that was not as it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.api import Run
from bench.replay.oracle import Mails, Verdict, judge
from bench.replay.season import Check
from bench.report import Report
from bench.usage import Usage

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Played:
    """What was seen of the system: its runs, the mails it sent, its usage, and what the scraper answered."""

    runs: Sequence[Run]
    seconds: float
    sent: Mails
    before: Usage
    after: Usage
    scraper_answers: int
    scraper_refusals: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A replay of `checks`, which had to cause the mails `wanted`."""

    checks: Sequence[Check]
    wanted: Mails
    played: Played

    @property
    def verdict(self) -> Verdict:
        """How the mails compare."""
        return judge(self.wanted, self.played.sent)

    @property
    def faults(self) -> list[str]:
        """What went wrong, in words, worst first; empty when nothing did."""
        return [*self._run_faults(), *self._mail_faults()]

    def report(self) -> Report:
        """The figures, by name."""
        played, verdict = self.played, self.verdict
        checks = sum(run.checked for run in played.runs)
        return {
            "mails_expected": self.wanted.total(),
            "mails_sent": played.sent.total(),
            "mails_missing": verdict.missing.total(),
            "mails_unexpected": verdict.unexpected.total(),
            "mails_doubled": verdict.doubled.total(),
            "runs_expected": len(self.checks),
            "runs_finished": sum(run.state == "finished" for run in played.runs),
            "checks": checks,
            "checks_failed": sum(run.failed for run in played.runs),
            "scraper_answers": played.scraper_answers,
            "scraper_answers_not_200": played.scraper_refusals,
            "wall_seconds": played.seconds,
            "checks_per_second": checks / played.seconds,
            "worker_cpu_ms_per_check": played.after.cpu_ms_since(played.before, "worker") / max(1, checks),
            "all_cpu_ms_per_check": played.after.cpu_ms_since(played.before) / max(1, checks),
            "pss_mb": played.after.pss_mb,
            "total_pss_mb": played.after.total_pss_mb,
        }

    def _run_faults(self) -> list[str]:
        bad = [run for run in self.played.runs if run.state != "finished" or run.failed]
        faults = [f"run {run.run_id}: {run.state}, {run.failed} checks failed, {run.reason}" for run in bad]
        unplayed = len(self.checks) - len(self.played.runs)
        return [*faults, f"{unplayed} checks were not played"] if unplayed else faults

    def _mail_faults(self) -> list[str]:
        verdict = self.verdict
        sorts = {"missing": verdict.missing, "unexpected": verdict.unexpected, "doubled": verdict.doubled}
        return [
            f"{sort} {times} x: {' '.join(map(str, mail))}"
            for sort, mails in sorts.items()
            for mail, times in mails.most_common(SHOWN)
        ]
