from __future__ import annotations

import threading
from collections.abc import Sequence

import redis
from hypothesis import given
from hypothesis import strategies as st

from resilience.breaker import CircuitBreaker
from resilience.breaker_model import BreakerModel
from resilience.breaker_policy import BreakerPolicy, Window

POLICY = BreakerPolicy(failure_threshold=1000, failure_ratio=0.5, window_seconds=60, minimum_calls=10)


def recorded(outcomes: Sequence[bool | None], at_ms: int = 0, policy: BreakerPolicy = POLICY) -> BreakerModel:
    circuit = BreakerModel(policy)
    circuit.record(0, "a", outcomes, at_ms)
    return circuit


def test_a_share_of_failures_opens_it_without_many_in_a_row() -> None:
    assert recorded([True, False] * 4 + [True]).state == "closed"
    assert recorded([True, False] * 5).state == "open"


def test_too_few_calls_do_not_open_it() -> None:
    assert recorded([False] * 9).state == "closed"


def test_a_success_can_be_the_call_that_reaches_the_minimum() -> None:
    assert recorded([False] * 9 + [True]).state == "open"


def test_excluded_outcomes_do_not_count_as_calls() -> None:
    assert recorded([False] * 9 + [None] * 50).state == "closed"


def test_consecutive_failures_still_open_it() -> None:
    policy = BreakerPolicy(failure_threshold=3, failure_ratio=1, minimum_calls=100)
    assert recorded([True, False, False, False], policy=policy).state == "open"


def test_without_a_ratio_no_share_of_failures_opens_it() -> None:
    assert recorded([False, True] * 500, policy=BreakerPolicy()).state == "closed"


def test_a_share_is_compared_with_the_ratio_exactly() -> None:
    policy = BreakerPolicy(failure_threshold=1000, failure_ratio=0.07, minimum_calls=100)
    assert recorded([True] * 93 + [False] * 6, policy=policy).state == "closed"
    assert recorded([True] * 93 + [False] * 7, policy=policy).state == "open"


def test_calls_before_the_window_do_not_count() -> None:
    circuit = recorded([False] * 9, at_ms=0)
    circuit.record(0, "a", [True], 60_000)
    assert (circuit.state, circuit.window.buckets) == ("closed", {60_000: (1, 0)})
    circuit = recorded([False] * 9, at_ms=0)
    circuit.record(0, "a", [True], 59_999)
    assert circuit.state == "open"


def test_forced_closed_it_stays_closed() -> None:
    circuit = BreakerModel(POLICY)
    circuit.apply("force_closed", "ops", 0)
    circuit.record(1, "a", [False] * 50, 0)
    assert circuit.state == "closed"


def test_closing_starts_a_new_window() -> None:
    circuit = recorded([False] * 10)
    grant = circuit.permit(3, "b", 120_000)
    circuit.record(grant.generation, "b", [True] * 3, 120_000)
    circuit.record(circuit.generation, "c", [False] * 9, 120_000)
    assert circuit.state == "closed"


@given(batches=st.lists(st.lists(st.sampled_from([True, False, None]), max_size=8), max_size=8))
def test_a_batch_counts_as_its_calls_do_one_by_one(batches: list[list[bool | None]]) -> None:
    together, alone = BreakerModel(POLICY), BreakerModel(POLICY)
    for batch in batches:
        together.record(0, "a", batch, 0)
        for outcome in batch:
            alone.record(0, "a", [outcome], 0)
    assert together == alone


@given(calls=st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1))
def test_it_counts_nine_tenths_of_the_window_at_least_and_the_window_at_most(
    calls: list[tuple[int, bool]],
) -> None:
    window, now_ms = Window(), 0
    moments: list[int] = []
    for pause_ms, has_failed in calls:
        now_ms += pause_ms
        moments.append(now_ms)
        window.observe(has_failed=has_failed, now_ms=now_ms, window_ms=1000)
        counted = sum(count for count, _ in window.buckets.values())
        assert (
            sum(at > now_ms - 900 for at in moments) <= counted <= sum(at > now_ms - 1000 for at in moments)
        )
        assert len(window.buckets) <= 10


def test_the_fleet_drops_a_call_at_the_same_moment_as_the_model(
    redis_client: redis.Redis, prefix: str
) -> None:
    now_ms = 0
    breakers = [
        CircuitBreaker.shared(name, redis_client, POLICY, now_ms=lambda: now_ms, prefix=prefix)
        for name in ("one", "other")
    ]
    for breaker in breakers:
        breaker.record(breaker.permit(9), [False] * 9)
    for breaker, later_ms, state in zip(breakers, (60_000, 59_999), ("closed", "open"), strict=True):
        now_ms = later_ms
        breaker.record(breaker.permit(1), [True])
        assert breaker.snapshot().state == state


def test_the_whole_fleet_counts_into_one_window(redis_url: str, prefix: str) -> None:
    policy = BreakerPolicy(failure_threshold=10**6, failure_ratio=0.5, minimum_calls=800)
    states: list[str] = []

    def work() -> None:
        with redis.Redis.from_url(redis_url) as client:
            breaker = CircuitBreaker.shared("scraper", client, policy, now_ms=lambda: 0, prefix=prefix)
            for _ in range(20):
                permit = breaker.permit(5)
                states.append(breaker.snapshot().state)
                breaker.record(permit, [True, False, True, False, False])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(states) == {"closed"}
    with redis.Redis.from_url(redis_url) as client:
        assert CircuitBreaker.shared("scraper", client, policy, prefix=prefix).snapshot().state == "open"
