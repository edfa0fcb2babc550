from __future__ import annotations

import pytest
import redis

from domain.errors import RateLimitedError
from resilience.rate_limiter import BlockingRateLimiter, RateLimiter


def limited(client: redis.Redis, prefix: str, waits: list[float]) -> BlockingRateLimiter:
    limiter = RateLimiter(client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    return BlockingRateLimiter(limiter, patience_seconds=3, wait_seconds=waits.append)


def test_requests_of_all_processes_are_spaced(redis_client: redis.Redis, prefix: str) -> None:
    waits: list[float] = []
    here, there = limited(redis_client, prefix, waits), limited(redis_client, prefix, waits)
    here.wait()
    there.wait()
    here.wait()
    assert waits == [1.0, 2.0]


def test_a_long_wait_is_refused_with_the_time_left(redis_client: redis.Redis, prefix: str) -> None:
    limiter = RateLimiter(redis_client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    limiter.hold(40)
    with pytest.raises(RateLimitedError) as caught:
        BlockingRateLimiter(limiter, patience_seconds=3).wait()
    assert caught.value.retry_after_seconds == 40


def test_a_hold_is_bounded_for_a_longer_wait_is_a_pause(redis_client: redis.Redis, prefix: str) -> None:
    waits: list[float] = []
    held = limited(redis_client, prefix, waits)
    held.hold(1_209_600)
    held.wait()
    assert waits == [3.0]


def test_refused_requests_prolong_no_wait(redis_client: redis.Redis, prefix: str) -> None:
    limiter = RateLimiter(redis_client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    limiter.hold(40)
    held = BlockingRateLimiter(limiter, patience_seconds=3)
    for _ in range(5):
        with pytest.raises(RateLimitedError) as caught:
            held.wait()
        assert caught.value.retry_after_seconds == 40
