from __future__ import annotations

from typing import Any

import pytest
import redis

from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy

SLOW = BreakerPolicy(failure_threshold=2, success_threshold=1, slow_call_seconds=5)


@pytest.mark.parametrize(
    "unsound",
    [
        {"failure_ratio": 0},
        {"failure_ratio": 1.01},
        {"window_seconds": 0},
        {"minimum_calls": 0},
        {"slow_call_seconds": 0},
        {"ramp_seconds": -1},
    ],
)
def test_an_unusable_policy_is_rejected(unsound: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot work"):
        BreakerPolicy(**unsound)


def test_only_a_success_beyond_the_limit_is_judged_a_failure() -> None:
    judged = SLOW.judge(6, [True, True, False, None, True], [5, 5.1, 0, 9, 0])
    assert judged == [True, False, False, None, True, None]


def test_without_durations_or_without_a_limit_nothing_is_slow() -> None:
    assert SLOW.judge(2, [True, None]) == [True, None]
    assert BreakerPolicy().judge(1, [True], [10**6]) == [True]


@pytest.mark.parametrize("policy", [SLOW, BreakerPolicy()])
def test_each_outcome_has_its_duration(policy: BreakerPolicy) -> None:
    with pytest.raises(ValueError, match="1 durations for 2 outcomes"):
        policy.judge(2, [True, True], [1])


def test_slow_successes_open_the_fleets_breaker(redis_client: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("scraper", redis_client, SLOW, prefix=prefix)
    breaker.record(breaker.permit(4), [True, True, True], [6, 1, 6])
    assert breaker.snapshot().failures == 1
    breaker.record(breaker.permit(1), [True], [6])
    assert breaker.snapshot().state == "open"


def test_slow_successes_open_the_process_breaker(unreachable: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("scraper", unreachable, SLOW, prefix=prefix)
    breaker.record(breaker.permit(2), [True, True], [6, 6])
    assert (breaker.snapshot().state, breaker.snapshot().scope) == ("open", "process")


def test_a_slow_probe_opens_it_again(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = 0
    breaker = CircuitBreaker.shared("scraper", redis_client, SLOW, now_ms=lambda: now_ms, prefix=prefix)
    breaker.record(breaker.permit(2), [False, False])
    now_ms = SLOW.recovery_ms
    breaker.record(breaker.permit(1), [True], [6])
    assert breaker.snapshot().state == "open"
