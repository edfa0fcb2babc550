from __future__ import annotations

from pathlib import Path

from resilience.circuit import BreakerPolicy
from rollcall.settings import parse
from rollcall.wiring import build

SECRETS = dict.fromkeys(("CRON_SECRET", "API_TOKEN", "UNSUBSCRIBE_SECRET"), "0123456789abcdef")


def policies(home: Path, **values: str) -> set[BreakerPolicy]:
    system = build(parse({"ROLLCALL_HOME": str(home), **SECRETS, **values}))
    try:
        return {breaker.policy for breaker in system.services.breakers.values()}
    finally:
        system.close()


def test_the_breakers_go_by_the_default_policy_unless_it_is_set(tmp_path: Path) -> None:
    assert policies(tmp_path) == {BreakerPolicy()}


def test_every_setting_of_the_breakers_reaches_them(tmp_path: Path) -> None:
    found = policies(
        tmp_path,
        BREAKER_FAILURE_THRESHOLD="5",
        BREAKER_RECOVERY_SECONDS="60",
        BREAKER_SUCCESS_THRESHOLD="2",
        BREAKER_FAILURE_RATIO="0.5",
        BREAKER_WINDOW_SECONDS="30",
        BREAKER_MINIMUM_CALLS="40",
        BREAKER_SLOW_SECONDS="2.5",
        BREAKER_RAMP_SECONDS="90",
    )
    assert found == {BreakerPolicy(5, 60, 2, 60, 0.5, 30, 40, 2.5, 90)}
