from __future__ import annotations

from uuid import uuid4

import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.throttle import LocalSlots, Throttle

START_MS = 1_750_000_000_000
MINUTE_US = 60_000_000


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


def slots_us(throttle: Throttle, clock: FakeMilliseconds, n: int) -> list[int]:
    pace = throttle.reserve(n)
    start_us = clock.now_ms * 1000 + round(pace.start_in_seconds * 1e6)
    return [start_us + i * round(pace.interval_seconds * 1e6) for i in range(n)]


def test_no_window_ever_holds_more_than_the_rate_and_the_burst(redis_client: redis.Redis) -> None:
    steps = st.lists(
        st.tuples(
            st.sampled_from(["reserve", "reserve", "reserve", "wait", "hold"]),
            st.integers(1, 25),
            st.integers(0, 20_000),
        ),
        max_size=25,
    )

    @settings(max_examples=60, deadline=None)
    @given(per_minute=st.integers(1, 70), burst=st.integers(0, 30), steps=steps)
    def check(per_minute: int, burst: int, steps: list[tuple[str, int, int]]) -> None:
        clock = FakeMilliseconds()
        prefix = uuid4().hex
        throttles = [
            Throttle(redis_client, "t", per_minute, burst=burst, now_ms=clock, prefix=prefix)
            for _ in range(2)
        ]
        model = LocalSlots(-(-MINUTE_US // per_minute), burst * -(-MINUTE_US // per_minute))
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
                new = slots_us(throttles[i % 2], clock, n)
                assert new[0] == clock.now_ms * 1000 + model.reserve(n, clock.now_ms * 1000)
                assert new[0] >= held_until_ms * 1000
                taken += new
        assert most_in_any_minute(taken) <= per_minute + burst

    check()


def test_batches_of_several_processes_follow_each_other(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    first, second = (Throttle(redis_client, "t", 600, now_ms=clock, prefix=prefix) for _ in range(2))
    assert (first.reserve(25).start_in_seconds, first.reserve(0).interval_seconds) == (0, 0.1)
    assert second.reserve(10).start_in_seconds == 2.5
    assert first.reserve(1).start_in_seconds == 3.5


def test_a_hold_only_ever_moves_later(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    throttle = Throttle(redis_client, "t", 600, now_ms=clock, prefix=prefix)
    throttle.hold(30)
    throttle.hold(5)
    assert throttle.reserve(1).start_in_seconds == 30


def test_the_full_rate_is_reached(redis_client: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    throttle = Throttle(redis_client, "t", 900, now_ms=clock, prefix=prefix)
    taken = [slot for _ in range(40) for slot in slots_us(throttle, clock, 25)]
    assert 899 <= most_in_any_minute(taken) <= 900


def test_without_a_limit_redis_is_not_asked(unreachable: redis.Redis, prefix: str) -> None:
    clock = FakeMilliseconds()
    throttle = Throttle(unreachable, "t", 0, now_ms=clock, prefix=prefix)
    assert throttle.reserve(1000).start_in_seconds == 0
    throttle.hold(9)
    assert throttle.reserve(1).start_in_seconds == 9


def test_without_redis_each_process_keeps_the_rate_and_the_hold(
    unreachable: redis.Redis, prefix: str
) -> None:
    clock = FakeMilliseconds()
    throttle = Throttle(unreachable, "t", 600, now_ms=clock, prefix=prefix)
    throttle.hold(1)
    assert throttle.reserve(10).start_in_seconds == 1
    assert throttle.reserve(10).start_in_seconds == 2


def test_the_key_goes_when_it_no_longer_matters(redis_client: redis.Redis, prefix: str) -> None:
    throttle = Throttle(redis_client, "t", 60, prefix=prefix)
    throttle.reserve(10)
    throttle.hold(30)
    assert 29_000 < redis_client.pttl(f"{prefix}:throttle:t") <= 31_000
