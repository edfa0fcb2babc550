"""The figures of a season under fire, by name."""

from __future__ import annotations

from collections.abc import Sequence

from bench.chaos.battle import Fought
from bench.chaos.outcome import Judgement
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
    """Percentiles of trials of which some (None) were not over within the bound."""
    known = percentiles([float("inf") if each is None else each for each in trials])
    return {
        name: f"> {bound_seconds:g} s" if value == float("inf") else f"{value:.1f} s"
        for name, value in known.items()
    }


def mail_figures(judgement: Judgement, fought: Fought) -> Report:
    """Mails and runs."""
    verdict, runs = judgement.verdict, [each.run for each in fought.rounds]
    return {
        "mails_expected": judgement.wanted.total(),
        "mails_sent": fought.sent.total(),
        "mails_missing": verdict.missing.total(),
        "mails_unexpected": verdict.unexpected.total(),
        "mails_doubled": verdict.doubled.total(),
        "sections_in_doubt": len(judgement.doubtful),
        "runs": len(runs),
        "runs_finished": sum(run.state == "finished" for run in runs),
        "runs_skipped_or_failed": sum(run.state in {"skipped", "failed"} for run in runs),
        "checks": sum(run.checked for run in runs),
        "checks_given_up": sum(run.failed for run in runs),
        "checks_deferred": sum(run.deferred for run in runs),
        "run_seconds": percentiles([each.seconds for each in fought.rounds]),
        "wall_seconds": fought.seconds,
        "redis_emptied": fought.fired["wipe"],
    }


def fire_figures(fought: Fought) -> Report:
    """What was done to the stack, and how fast it recovered."""
    recoveries = fought.recoveries
    return {
        "kills": {role: n for role, n in fought.fired.items() if role not in {"redis", "wipe"}},
        "redis_kills": fought.fired["redis"],
        "faults": {kind: float(n) for kind, n in fought.faults.items()},
        "workers_killed_with_messages": len(recoveries.seconds) + recoveries.waiting + recoveries.voided,
        "measured_recoveries": len(recoveries.seconds),
        "cut_short_by_redis": recoveries.voided,
        "back_in_queue_seconds": percentiles(recoveries.returned),
        "back_in_work_seconds": percentiles(recoveries.seconds),
    }
