from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Broker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Retries

from observability.message_metrics import BreakerTransitions, MessageMetrics
from observability.recorders import (
    DURATION,
    ERRORS,
    MESSAGES,
    REJECTED,
    RETRIES,
    TRANSITIONS,
    WAIT,
    CounterDefinition,
    HistogramDefinition,
    Recorder,
)
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from tests.support.broker import message, process_all


class Counts:
    """A broker with a recorder, and what was counted with it."""

    def __init__(self, client: redis.Redis, prefix: str, **clocks: Callable[[], Any]) -> None:
        self._client, self._prefix, self._recorder = client, prefix, Recorder()
        retries = Retries(min_backoff=1, max_backoff=2, max_retries=2)
        self.broker: Broker = RedisBroker(  # type: ignore[no-untyped-call]
            client=client,
            namespace=prefix,
            middleware=[AgeLimit(), MessageMetrics(self._recorder, **clocks), retries],
        )

    def actor(self, name: str, work: Callable[[], None]) -> Any:
        declare = dramatiq.actor(broker=self.broker, queue_name="check", actor_name=name)
        return declare(work)

    def work(self) -> None:
        process_all(self.broker, self._client, self._prefix)
        self._counts = self._recorder.take()

    def of(self, *counters: CounterDefinition, label: str = "sections.check") -> list[float]:
        return [counter.value(self._counts, label) for counter in counters]

    def durations(self, histogram: HistogramDefinition, label: str) -> tuple[float, float]:
        """How many, and their sum in seconds."""
        return histogram.buckets(self._counts, label)[-1][1], histogram.sum_seconds(self._counts, label)


@pytest.fixture
def counts(redis_client: redis.Redis, prefix: str) -> Counts:
    return Counts(redis_client, prefix)


def test_a_successful_attempt_is_one_message(counts: Counts) -> None:
    counts.actor("sections.check", lambda: None).send()
    counts.work()
    assert counts.of(MESSAGES, ERRORS, RETRIES, REJECTED) == [1, 0, 0, 0]


def test_each_attempt_is_a_message_each_further_one_a_retry_and_the_last_a_rejection(counts: Counts) -> None:
    def fail() -> None:
        raise ValueError

    counts.actor("sections.check", fail).send()
    counts.work()
    assert counts.of(MESSAGES, ERRORS, RETRIES, REJECTED) == [3, 3, 2, 1]


def test_what_expired_was_not_worked_on(counts: Counts) -> None:
    counts.actor("sections.check", lambda: None)
    counts.broker.enqueue(message("sections.check", max_age=-1))
    counts.work()
    assert counts.of(MESSAGES, ERRORS, RETRIES, REJECTED) == [0, 0, 0, 1]
    assert counts.durations(WAIT, "check")[0] == 0


def test_an_unknown_actor_does_not_name_a_series(counts: Counts) -> None:
    counts.broker.declare_queue("check")
    counts.broker.enqueue(message("anybody's text"))
    counts.work()
    assert counts.of(REJECTED, label="unknown") == [1]


def ticks(*times: float) -> Iterator[float]:
    yield from times


def test_durations_are_measured_by_actor_and_waits_by_queue(redis_client: redis.Redis, prefix: str) -> None:
    wall_ms, stopwatch = ticks(1_000_000, 1_004_000), ticks(10.0, 12.5)
    counts = Counts(
        redis_client, prefix, now_ms=lambda: int(next(wall_ms)), monotonic_seconds=lambda: next(stopwatch)
    )
    counts.actor("sections.check", lambda: None).send()
    counts.work()
    assert counts.durations(WAIT, "check") == (1, 4.0)
    assert counts.durations(DURATION, "sections.check") == (1, 2.5)


def test_a_delay_is_no_wait(redis_client: redis.Redis, prefix: str) -> None:
    # Enqueued at 1,000 s to be due 2 ms later; then it is enqueued again and received, at 1,010 s.
    wall_ms = ticks(1_000_000, 1_010_000, 1_010_000)
    counts = Counts(redis_client, prefix, now_ms=lambda: int(next(wall_ms)))
    counts.actor("sections.check", lambda: None).send_with_options(delay=2)
    counts.work()
    assert counts.durations(WAIT, "check") == (1, 0.0)


def test_each_change_of_a_breakers_state_counts_once(redis_client: redis.Redis, prefix: str) -> None:
    recorder, now_ms = Recorder(), 1_000_000
    breaker = CircuitBreaker.shared(
        "scraper",
        redis_client,
        BreakerPolicy(failure_threshold=2, recovery_seconds=120, success_threshold=1),
        listeners=[BreakerTransitions(recorder)],
        now_ms=lambda: now_ms,
        prefix=prefix,
    )
    breaker.record(breaker.permit(3), [False, False, False])
    breaker.snapshot()
    now_ms += 120_000
    breaker.record(breaker.permit(1), [True])
    found = recorder.take()
    assert [TRANSITIONS.value(found, "scraper", to) for to in ("open", "half_open", "closed")] == [1, 1, 1]
    assert len(found) == 3
