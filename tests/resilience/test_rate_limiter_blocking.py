from __future__ import annotations

import pytest
import redis

from domain.errors import RateLimitedError
from resilience.rate_limiter import BlockingRateLimiter, RateLimiter


def turnstile(client: redis.Redis, prefix: str, waits: list[float]) -> BlockingRateLimiter:
    throttle = RateLimiter(client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    return BlockingRateLimiter(throttle, patience_seconds=3, wait_seconds=waits.append)


def test_turns_are_spaced_over_every_process(redis_client: redis.Redis, prefix: str) -> None:
    waits: list[float] = []
    here, there = turnstile(redis_client, prefix, waits), turnstile(redis_client, prefix, waits)
    here.wait()
    there.wait()
    here.wait()
    assert waits == [1.0, 2.0]


def test_a_long_wait_is_refused_with_the_time_left(redis_client: redis.Redis, prefix: str) -> None:
    throttle = RateLimiter(redis_client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    throttle.hold(40)
    with pytest.raises(RateLimitedError) as caught:
        BlockingRateLimiter(throttle, patience_seconds=3).wait()
    assert caught.value.retry_after_seconds == 40


def test_a_hold_is_bounded_for_a_longer_wait_is_a_pause(redis_client: redis.Redis, prefix: str) -> None:
    waits: list[float] = []
    held = turnstile(redis_client, prefix, waits)
    held.hold(1_209_600)
    held.wait()
    assert waits == [3.0]


def test_refused_turns_keep_nobody_waiting_longer(redis_client: redis.Redis, prefix: str) -> None:
    throttle = RateLimiter(redis_client, "mail", 60, now_ms=lambda: 1_000_000, prefix=prefix)
    throttle.hold(40)
    held = BlockingRateLimiter(throttle, patience_seconds=3)
    for _ in range(5):
        with pytest.raises(RateLimitedError) as caught:
            held.wait()
        assert caught.value.retry_after_seconds == 40
