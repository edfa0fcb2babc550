"""The figures of the measured runs, and the goals that they miss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.checks.baseline import Baseline
from bench.checks.system import Measured

MIN_RATIO = 0.9
MAX_CPU_MS = 0.3
MAX_PSS_MB = 110.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Over all measured runs together; the names end in their units."""

    checks: int
    checks_per_second: float
    checks_per_second_from_outside: float
    limit_per_second: float
    ratio_to_limit: float
    bare_client_per_second: float
    ratio_to_bare_client: float
    worker_cpu_ms_per_check: float
    bare_client_cpu_ms_per_request: float
    worker_pss_mb: float
    redis_round_trips_per_check: float
    redis_commands_per_check: float


def add_up(measured: Sequence[Measured], baseline: Baseline, limit_per_second: float) -> Figures:
    """The figures of `measured`, with the baseline and the limit."""
    checks = sum(one.run.checked for one in measured)
    per_second = checks / sum(one.seconds for one in measured)
    return Figures(
        checks=checks,
        checks_per_second=per_second,
        checks_per_second_from_outside=checks / sum(one.seconds_outside for one in measured),
        limit_per_second=limit_per_second,
        ratio_to_limit=per_second / limit_per_second,
        bare_client_per_second=baseline.requests_per_second,
        ratio_to_bare_client=per_second / baseline.requests_per_second,
        worker_cpu_ms_per_check=sum(one.cpu_ms for one in measured) / max(1, checks),
        bare_client_cpu_ms_per_request=baseline.cpu_ms_per_request,
        worker_pss_mb=max(one.usage.total_pss_mb for one in measured),
        redis_round_trips_per_check=sum(one.traffic.round_trips for one in measured) / max(1, checks),
        redis_commands_per_check=sum(one.traffic.commands for one in measured) / max(1, checks),
    )


def missed_goals(figures: Figures, measured: Sequence[Measured], sections: int) -> list[str]:
    """The goals that were not met, in words."""
    goals = {
        f"every run finishes {sections} checks without a failure": all(
            (one.run.state, one.run.checked, one.run.failed) == ("finished", sections, 0) for one in measured
        ),
        f"ratio to limit >= {MIN_RATIO}": figures.ratio_to_limit >= MIN_RATIO,
        f"worker CPU <= {MAX_CPU_MS} ms a check": figures.worker_cpu_ms_per_check <= MAX_CPU_MS,
        f"worker memory <= {MAX_PSS_MB:g} MB": figures.worker_pss_mb <= MAX_PSS_MB,
    }
    return [goal for goal, is_met in goals.items() if not is_met]
