"""The outcome of a replay: the figures, and every violation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.api import Run
from bench.replay.oracle import Comparison, Mails, compare
from bench.replay.season import Check
from bench.report import Report
from bench.usage import Usage


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The system's runs, sent mails and resource usage, and the counts of the scraper's answers."""

    runs: Sequence[Run]
    seconds: float
    sent: Mails
    before: Usage
    after: Usage
    scraper_answers: int
    scraper_refusals: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A replay of `checks`, and the `expected` mails of it."""

    checks: Sequence[Check]
    expected: Mails
    result: ReplayResult

    @property
    def comparison(self) -> Comparison:
        """The sent mails compared with the expected ones."""
        return compare(self.expected, self.result.sent)

    @property
    def violations(self) -> list[str]:
        """Every violation in words, worst first."""
        return [*self._run_violations(), *self.comparison.violations()]

    def report(self) -> Report:
        """The figures, by name."""
        result, comparison = self.result, self.comparison
        checks = sum(run.checked for run in result.runs)
        return {
            "mails_expected": self.expected.total(),
            "mails_sent": result.sent.total(),
            "mails_missing": comparison.missing.total(),
            "mails_unexpected": comparison.unexpected.total(),
            "mails_doubled": comparison.doubled.total(),
            "runs_expected": len(self.checks),
            "runs_finished": sum(run.state == "finished" for run in result.runs),
            "checks": checks,
            "checks_failed": sum(run.failed for run in result.runs),
            "scraper_answers": result.scraper_answers,
            "scraper_answers_not_200": result.scraper_refusals,
            "wall_seconds": result.seconds,
            "checks_per_second": checks / result.seconds,
            "worker_cpu_ms_per_check": result.after.cpu_ms_since(result.before, "worker") / max(1, checks),
            "all_cpu_ms_per_check": result.after.cpu_ms_since(result.before) / max(1, checks),
            "pss_mb": result.after.pss_mb,
            "total_pss_mb": result.after.total_pss_mb,
        }

    def _run_violations(self) -> list[str]:
        bad = [run for run in self.result.runs if run.state != "finished" or run.failed]
        violations = [
            f"run {run.run_id}: {run.state}, {run.failed} checks failed, {run.reason}" for run in bad
        ]
        missing = len(self.checks) - len(self.result.runs)
        return [*violations, f"{missing} checks were not run"] if missing else violations
