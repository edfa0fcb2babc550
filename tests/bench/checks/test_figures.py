from __future__ import annotations

import pytest

from bench.api import Run
from bench.checks.baseline import Baseline
from bench.checks.figures import add_up, missed_goals
from bench.checks.system import Measured
from bench.usage import Usage
from bench.valkey import Traffic

START, END = "2026-01-15T09:00:00.000000Z", "2026-01-15T09:00:10.000000+00:00"


def measured(
    *, checked: int = 4_800, failed: int = 0, cpu_ms: float = 960, pss_mb: float = 60, end: str = END
) -> Measured:
    run = Run("r1", "finished", None, checked, checked, failed, START, end)
    return Measured(run, 10.5, cpu_ms, Usage({}, {"worker": pss_mb}), Traffic(480, 960))


def misses(*runs: Measured, sections: int = 4_800) -> list[str]:
    return missed_goals(add_up(runs, Baseline(495, 0.1), limit_per_second=500), runs, sections)


def test_a_run_lasts_from_its_start_to_its_finish() -> None:
    assert measured().seconds == 10


def test_figures_are_over_all_runs_together() -> None:
    figures = add_up([measured(), measured(checked=4_900)], Baseline(495, 0.1), limit_per_second=500)
    assert figures.checks == 9_700
    assert figures.checks_per_second == 485
    assert figures.ratio_to_limit == 0.97
    assert figures.worker_cpu_ms_per_check == pytest.approx(1_920 / 9_700)
    assert figures.redis_round_trips_per_check == pytest.approx(960 / 9_700)


def test_met_goals_are_not_named() -> None:
    assert misses(measured()) == []


def test_each_missed_goal_is_named() -> None:
    assert misses(measured(failed=1)) == ["every run finishes 4800 checks without a failure"]
    assert misses(measured(end="2026-01-15T09:00:11Z")) == ["ratio to limit >= 0.9"]
    assert misses(measured(cpu_ms=1_500)) == ["worker CPU <= 0.3 ms a check"]
    assert misses(measured(pss_mb=111)) == ["worker memory <= 110 MB"]
