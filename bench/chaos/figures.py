"""The figures of a chaos experiment, by name."""

from __future__ import annotations

from collections.abc import Sequence

from bench.chaos.experiment import ExperimentResult
from bench.chaos.verification import Assessment
from bench.report import Figure, Report

_PERCENTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The smallest values that at least 50 %, 99 % and all of `seconds` do not exceed; none without any."""
    ordered = sorted(seconds)
    return {
        name: ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
        for name, share in _PERCENTILES.items()
        if ordered
    }


def bounded(trials: Sequence[float | None], bound_seconds: float) -> dict[str, Figure]:
    """Percentiles of trials; None stands for a trial that exceeded the bound."""
    known = percentiles([float("inf") if each is None else each for each in trials])
    return {
        name: f"> {bound_seconds:g} s" if value == float("inf") else f"{value:.1f} s"
        for name, value in known.items()
    }


def mail_figures(assessment: Assessment, result: ExperimentResult) -> Report:
    """Mails and runs."""
    comparison, runs = assessment.comparison, [each.run for each in result.rounds]
    return {
        "mails_expected": assessment.expected.total(),
        "mails_sent": result.sent.total(),
        "mails_missing": comparison.missing.total(),
        "mails_unexpected": comparison.unexpected.total(),
        "mails_doubled": comparison.doubled.total(),
        "sections_in_doubt": len(assessment.ambiguous),
        "runs": len(runs),
        "runs_finished": sum(run.state == "finished" for run in runs),
        "runs_skipped_or_failed": sum(run.state in {"skipped", "failed"} for run in runs),
        "checks": sum(run.checked for run in runs),
        "checks_given_up": sum(run.failed for run in runs),
        "checks_deferred": sum(run.deferred for run in runs),
        "run_seconds": percentiles([each.seconds for each in result.rounds]),
        "wall_seconds": result.seconds,
        "redis_emptied": result.injected["flush"],
    }


def fault_figures(result: ExperimentResult) -> Report:
    """The injected faults, and how fast the stack recovered."""
    recoveries = result.recoveries
    return {
        "kills": {role: n for role, n in result.injected.items() if role not in {"redis", "flush"}},
        "redis_kills": result.injected["redis"],
        "faults": {kind: float(n) for kind, n in result.faults.items()},
        "workers_killed_with_messages": len(recoveries.seconds) + recoveries.waiting + recoveries.discarded,
        "measured_recoveries": len(recoveries.seconds),
        "cut_short_by_redis": recoveries.discarded,
        "back_in_queue_seconds": percentiles(recoveries.requeued),
        "back_in_work_seconds": percentiles(recoveries.seconds),
    }
