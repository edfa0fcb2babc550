from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from resilience.breaker import CircuitBreaker
from resilience.breaker_model import CircuitBreakerError
from resilience.breaker_policy import BreakerPolicy, Ramp

POLICY = BreakerPolicy(failure_threshold=2, recovery_seconds=10, success_threshold=3, ramp_seconds=60)
CLOSED_MS = 10_000


class Milliseconds:
    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Milliseconds:
    return Milliseconds()


@pytest.fixture
def breaker(redis_client: redis.Redis, prefix: str, clock: Milliseconds) -> CircuitBreaker:
    return recovered(
        CircuitBreaker.shared("scraper", redis_client, POLICY, now_ms=clock, prefix=prefix), clock
    )


def recovered(breaker: CircuitBreaker, clock: Milliseconds) -> CircuitBreaker:
    breaker.record(breaker.permit(2), [False, False])
    clock.now_ms += CLOSED_MS
    breaker.record(breaker.permit(3), [True] * 3)
    assert breaker.snapshot().state == "closed"
    return breaker


def test_the_load_returns_in_ten_doubling_steps(breaker: CircuitBreaker, clock: Milliseconds) -> None:
    granted = []
    for step in range(10):
        clock.now_ms = CLOSED_MS + step * 6000
        granted.append(breaker.permit(10_000).granted)
    assert granted == [3, 6, 12, 24, 48, 96, 192, 384, 768, 1536]
    clock.now_ms = CLOSED_MS + 60_000
    assert breaker.permit(10_000).granted == 10_000


def test_the_rest_waits_for_the_next_step_and_a_refusal_costs_nothing(
    breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    clock.now_ms += 1000
    assert breaker.permit(2).retry_after_seconds == 0
    partly = breaker.permit(25)
    assert (partly.granted, partly.retry_after_seconds) == (1, 5)
    for _ in range(100):
        refused = breaker.permit(25)
        assert (refused.granted, refused.retry_after_seconds) == (0, 5)
    clock.now_ms += 5000
    assert breaker.permit(25).granted == 6


def test_a_call_beyond_the_step_is_refused(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        breaker.call(int)
    with pytest.raises(CircuitBreakerError) as refused:
        breaker.call(pytest.fail, "called beyond the step")
    assert refused.value.retry_after_seconds == 6


def test_failures_open_it_during_a_ramp_and_the_next_ramp_starts_from_zero(
    breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    clock.now_ms += 30_000
    breaker.record(breaker.permit(90), [False, False])
    assert breaker.snapshot().state == "open"
    clock.now_ms += 10_000
    breaker.record(breaker.permit(3), [True] * 3)
    assert breaker.permit(90).granted == 3


def test_a_breaker_that_an_operator_closes_does_not_ramp(breaker: CircuitBreaker) -> None:
    breaker.force_closed("ann")
    assert breaker.permit(1000).granted == 1000
    breaker.reset("ann")
    assert breaker.permit(1000).granted == 1000


def test_without_a_ramp_the_full_load_returns_at_once(
    redis_client: redis.Redis, prefix: str, clock: Milliseconds
) -> None:
    policy = BreakerPolicy(failure_threshold=2, recovery_seconds=10)
    breaker = CircuitBreaker.shared("scraper", redis_client, policy, now_ms=clock, prefix=prefix)
    assert recovered(breaker, clock).permit(10_000).granted == 10_000


def test_a_process_without_redis_ramps_too(
    unreachable: redis.Redis, prefix: str, clock: Milliseconds
) -> None:
    breaker = CircuitBreaker.shared("scraper", unreachable, POLICY, now_ms=clock, prefix=prefix)
    assert recovered(breaker, clock).permit(25).granted == 3


def test_a_batch_in_a_ramp_costs_two_round_trips(redis_client: redis.Redis, breaker: CircuitBreaker) -> None:
    before = calls(redis_client)
    breaker.record(breaker.permit(25), [True] * 3, [0.1] * 3)
    assert calls(redis_client) - before == 2


def calls(client: redis.Redis) -> int:
    """Calls of EVALSHA so far: each is one round trip."""
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_the_whole_fleet_shares_one_step(
    redis_url: str, prefix: str, breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    clock.now_ms += 24_000

    def ask(_: int) -> int:
        with redis.Redis.from_url(redis_url) as client:
            other = CircuitBreaker.shared("scraper", client, POLICY, now_ms=clock, prefix=prefix)
            return sum(other.permit(5).granted for _ in range(5))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 3 * 2**4


@given(
    first=st.integers(1, 5),
    ramp_ms=st.integers(1, 5000),
    asked=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3000)), max_size=40),
)
def test_no_step_grants_more_than_its_share_and_every_wait_ends_in_a_grant(
    first: int, ramp_ms: int, asked: list[tuple[int, int]]
) -> None:
    ramp, now_ms, total = Ramp(0), 0, 0
    for pause_ms, n in asked:
        now_ms += pause_ms
        granted, wait_ms = ramp.grant(n, first, ramp_ms, now_ms)
        if now_ms >= ramp_ms:
            assert (granted, wait_ms) == (n, 0)
            continue
        total += granted
        assert total <= first * (2 ** (now_ms * 10 // ramp_ms + 1) - 1)
        assert (wait_ms > 0) == (granted < n)
        assert wait_ms <= ramp_ms / 10 + 1
        if wait_ms:
            now_ms += wait_ms
            again, _ = ramp.grant(1, first, ramp_ms, now_ms)
            assert again == 1
            total += now_ms < ramp_ms
