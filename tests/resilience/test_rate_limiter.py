from __future__ import annotations

import math
from heapq import heappop, heappush
from uuid import uuid4

import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resilience.rate_limiter import LocalRateLimiter, RateLimiter

START_MS = 1_750_000_000_000
MINUTE_US = 60_000_000
HOUR_SECONDS = 3600
PATIENCE_SECONDS = 20


class FakeMilliseconds:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


def most_in_any_minute(slots_us: list[int]) -> int:
    slots_us = sorted(slots_us)
    return max(
        (sum(first <= slot < first + MINUTE_US for slot in slots_us[i:]) for i, first in enumerate(slots_us)),
        default=0,
    )


def slots_us(
    limiter: RateLimiter, clock: FakeMilliseconds, n: int, patience_seconds: float = HOUR_SECONDS
) -> list[int]:
    pace = limiter.reserve(n, patience_seconds=patience_seconds)
    start_us = clock.now_ms * 1000 + round(pace.start_in_seconds * 1e6)
    return [start_us + i * round(pace.interval_seconds * 1e6) for i in range(n)]


def test_no_window_contains_more_than_the_rate_and_the_burst(redis_client: redis.Redis) -> None:
    steps = st.lists(
        st.tuples(
            st.sampled_from(["reserve", "reserve", "try", "wait", "hold"]),
            st.integers(1, 25),
            st.integers(0, 20_000),
        ),
        max_size=25,
    )

    @settings(max_examples=60, deadline=None)
    @given(per_minute=st.integers(1, 70), burst=st.integers(0, 30), steps=steps)
    @example(per_minute=1, burst=0, steps=[("hold", 1, 8037), ("reserve", 1, 0)])  # 8.037 * 1000 > 8037
    def check(per_minute: int, burst: int, steps: list[tuple[str, int, int]]) -> None:
        clock = FakeMilliseconds()
        prefix = uuid4().hex
        throttles = [
            RateLimiter(redis_client, "t", per_minute, burst=burst, now_ms=clock, prefix=prefix)
            for _ in range(2)
        ]
        model = LocalRateLimiter(-(-MINUTE_US // per_minute), burst * -(-MINUTE_US // per_minute))
        taken: list[int] = []
        held_until_ms = 0
        for i, (action, n, milliseconds) in enumerate(steps):
            if action == "wait":
                clock.now_ms += milliseconds
            elif action == "hold":
                throttles[i % 2].hold(milliseconds / 1000)
                model.hold(milliseconds * 1000, clock.now_ms * 1000)
                held_until_ms = max(held_until_ms, clock.now_ms + milliseconds)
            else:
                now_us = clock.now_ms * 1000
                patience_us = milliseconds * 1000 if action == "try" else HOUR_SECONDS * 1_000_000
                new = slots_us(throttles[i % 2], clock, n, patience_us / 1e6)
                assert new[0] == now_us + model.reserve(n, now_us, patience_us)
                assert new[0] >= held_until_ms * 1000
                taken += new if new[0] - now_us <= patience_us else []
        assert most_in_any_minute(taken) <= per_minute + burst

    check()


def test_batches_of_several_processes_follow_each_other(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    first, second = (RateLimiter(redis_client, "t", 600, now_ms=clock, prefix=prefix) for _ in range(2))
    assert (
        first.reserve(25, patience_seconds=HOUR_SECONDS).start_in_seconds,
        first.reserve(0, patience_seconds=HOUR_SECONDS).interval_seconds,
    ) == (0, 0.1)
    assert second.reserve(10, patience_seconds=HOUR_SECONDS).start_in_seconds == 2.5
    assert first.reserve(1, patience_seconds=HOUR_SECONDS).start_in_seconds == 3.5


def test_a_hold_only_gets_longer(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(redis_client, "t", 600, now_ms=clock, prefix=prefix)
    limiter.hold(30)
    limiter.hold(5)
    assert limiter.reserve(1, patience_seconds=HOUR_SECONDS).start_in_seconds == 30


def finished_seconds(limiter: RateLimiter, clock: FakeMilliseconds) -> float:
    """When the last of 24 batches of 25 is out: four threads, a 60 s hold at 5 s, refused batches parked."""
    parked_ms, free_ms = [0] * 24, [0] * 4
    hold_at_ms, finished_ms = 5_000, 0
    while parked_ms:
        now_ms = max(heappop(parked_ms), heappop(free_ms))
        assert now_ms < HOUR_SECONDS * 1000, f"{len(parked_ms) + 1} batches never get through"
        if clock.now_ms - START_MS < hold_at_ms <= now_ms:
            clock.now_ms = START_MS + hold_at_ms
            limiter.hold(60)
        clock.now_ms = START_MS + now_ms
        pace = limiter.reserve(25, patience_seconds=PATIENCE_SECONDS)
        start_ms = now_ms + math.ceil(pace.start_in_seconds * 1000)
        if pace.start_in_seconds > PATIENCE_SECONDS:
            heappush(parked_ms, start_ms)
            heappush(free_ms, now_ms)
        else:
            finished_ms = start_ms + math.ceil(24 * pace.interval_seconds * 1000)
            heappush(free_ms, finished_ms)
    return finished_ms / 1000


def test_after_a_hold_every_batch_proceeds_at_the_full_rate(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(redis_client, "t", 900, burst=25, now_ms=clock, prefix=prefix)
    assert 65 < finished_seconds(limiter, clock) <= 65 + 24 * 25 * 60 / 900


def test_without_redis_every_batch_proceeds_after_a_hold(unreachable: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(unreachable, "t", 900, burst=25, now_ms=clock, prefix=prefix)
    assert 65 < finished_seconds(limiter, clock) <= 65 + 24 * 25 * 60 / 900


def test_a_refused_batch_reserves_nothing(redis_client: redis.Redis, prefix: str) -> None:
    limiter = RateLimiter(redis_client, "t", 600, now_ms=FakeMilliseconds(), prefix=prefix)
    limiter.reserve(10, patience_seconds=0)
    waits = [limiter.reserve(10, patience_seconds=0.999).start_in_seconds for _ in range(3)]
    assert waits == [1, 1, 1]
    assert limiter.reserve(10, patience_seconds=1).start_in_seconds == 1
    assert limiter.reserve(10, patience_seconds=1).start_in_seconds == 2


def test_the_full_rate_is_reached(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(redis_client, "t", 900, now_ms=clock, prefix=prefix)
    taken = [slot for _ in range(40) for slot in slots_us(limiter, clock, 25)]
    assert 899 <= most_in_any_minute(taken) <= 900


def test_without_a_limit_redis_is_not_used(unreachable: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(unreachable, "t", 0, now_ms=clock, prefix=prefix)
    assert limiter.reserve(1000, patience_seconds=HOUR_SECONDS).start_in_seconds == 0
    limiter.hold(9)
    assert limiter.reserve(1, patience_seconds=HOUR_SECONDS).start_in_seconds == 9


def test_without_redis_each_process_keeps_the_rate_and_the_hold(
    unreachable: redis.Redis, prefix: str
) -> None:
    clock = FakeMilliseconds()
    limiter = RateLimiter(unreachable, "t", 600, now_ms=clock, prefix=prefix)
    limiter.hold(1)
    assert limiter.reserve(10, patience_seconds=HOUR_SECONDS).start_in_seconds == 1
    assert limiter.reserve(10, patience_seconds=HOUR_SECONDS).start_in_seconds == 2


def test_the_key_expires_when_it_no_longer_matters(redis_client: redis.Redis, prefix: str) -> None:
    limiter = RateLimiter(redis_client, "t", 60, prefix=prefix)
    limiter.reserve(10, patience_seconds=HOUR_SECONDS)
    limiter.hold(30)
    assert 29_000 < redis_client.pttl(f"{prefix}:throttle:t") <= 31_000


def test_a_clock_set_back_by_a_day_prolongs_no_wait(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    clock.now_ms += 86_400_000
    limiter = RateLimiter(redis_client, "t", 600, now_ms=clock, prefix=prefix)
    limiter.reserve(25, patience_seconds=PATIENCE_SECONDS)
    limiter.hold(30)
    clock.now_ms = START_MS
    assert limiter.reserve(1, patience_seconds=PATIENCE_SECONDS).start_in_seconds == 30
    clock.now_ms += 12_000
    assert limiter.reserve(1, patience_seconds=PATIENCE_SECONDS).start_in_seconds == 18
    assert redis_client.pttl(f"{prefix}:throttle:t") <= 60_000
