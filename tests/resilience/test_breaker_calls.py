"""Single calls where Rollcall's breaker goes beyond pybreaker; test_breaker_conformance.py has the rest."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pybreaker
import pytest
import redis
from dramatiq.middleware import Shutdown, TimeLimitExceeded

from domain.errors import (
    AccountRefusedError,
    RateLimitedError,
    TransientError,
    UnreachableError,
    is_retryable,
)
from resilience.breaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerListener, MemoryStorage
from resilience.breaker_policy import BreakerPolicy

POLICY = BreakerPolicy(failure_threshold=2, recovery_seconds=60, success_threshold=1)


@pytest.fixture
def breaker(redis_client: redis.Redis, prefix: str) -> CircuitBreaker:
    return CircuitBreaker.shared("mail", redis_client, POLICY, prefix=prefix)


def fail(error: BaseException) -> None:
    raise error


def call_and_fail(breaker: CircuitBreaker, *errors: BaseException) -> None:
    for error in errors:
        with pytest.raises(type(error)):
            breaker.call(fail, error)


def test_only_upstream_failures_count_and_they_are_raised_unchanged(breaker: CircuitBreaker) -> None:
    call_and_fail(breaker, UnreachableError("1"), RateLimitedError("2"), AccountRefusedError("3"), KeyError())
    assert breaker.fail_counter == 1
    call_and_fail(breaker, UnreachableError("4"))
    assert breaker.current_state == "open"


def test_a_refusal_is_a_transient_error_that_says_when_to_ask_again(breaker: CircuitBreaker) -> None:
    call_and_fail(breaker, UnreachableError(""), UnreachableError(""))
    with pytest.raises(CircuitBreakerError, match="the circuit breaker mail refuses requests") as refused:
        breaker.call(pytest.fail, "called while open")
    assert 59 < refused.value.retry_after_seconds <= 60
    assert isinstance(refused.value, pybreaker.CircuitBreakerError)
    assert isinstance(refused.value, TransientError)
    assert is_retryable(refused.value)


def test_the_last_error_is_one_that_was_expected(breaker: CircuitBreaker) -> None:
    call_and_fail(breaker, RateLimitedError("429"), KeyError())
    assert breaker.snapshot().last_error == "RateLimitedError: 429"


@pytest.mark.parametrize("interrupt", [Shutdown, TimeLimitExceeded, asyncio.CancelledError])
def test_interrupts_do_not_count(breaker: CircuitBreaker, interrupt: type[BaseException]) -> None:
    call_and_fail(breaker, *(interrupt() for _ in range(5)))
    assert (breaker.current_state, breaker.fail_counter) == ("closed", 0)


def test_an_interrupted_probe_frees_its_slot(breaker: CircuitBreaker) -> None:
    breaker.half_open()
    call_and_fail(breaker, Shutdown())
    assert breaker.current_state == "half-open"
    assert breaker.call(int, "1") == 1
    assert breaker.current_state == "closed"


def test_coroutine_functions_are_guarded_by_call_and_decorator_too() -> None:
    breaker = CircuitBreaker(fail_max=2)

    @breaker
    async def work(error: Exception | None = None) -> str:
        if error:
            raise error
        return "done"

    plain = inspect.unwrap(work)

    async def scenario() -> None:
        assert await work() == await breaker.call(plain) == await breaker.call_async(plain) == "done"
        with pytest.raises(OSError, match="first"):
            await work(OSError("first"))
        with pytest.raises(CircuitBreakerError):
            await breaker.call(plain, OSError("second"))
        with pytest.raises(CircuitBreakerError):
            await breaker.call_async(plain)

    assert inspect.iscoroutinefunction(work)
    asyncio.run(scenario())


def test_a_batch_records_its_outcomes_itself(breaker: CircuitBreaker) -> None:
    with breaker.calling(5) as permit:
        breaker.record(permit, [True, False, None], error=UnreachableError("503"))
    assert (permit.granted, breaker.fail_counter) == (5, 1)
    assert breaker.snapshot().last_error == "UnreachableError: 503"
    with suppress(UnreachableError), breaker.calling(5) as permit:
        breaker.record(permit, [True])
        raise UnreachableError("after its outcomes were recorded")
    assert breaker.fail_counter == 0


def test_a_batch_that_raises_is_one_failure(breaker: CircuitBreaker) -> None:
    with suppress(UnreachableError), breaker.calling(5):
        raise UnreachableError("503")
    assert (breaker.fail_counter, breaker.current_state) == (1, "closed")


def test_close_ends_a_forced_state_and_open_replaces_it(breaker: CircuitBreaker) -> None:
    breaker.force_open("ann")
    breaker.open()
    assert (breaker.current_state, breaker.snapshot().forced) == ("open", None)
    breaker.force_closed("ann")
    breaker.close()
    assert (breaker.current_state, breaker.snapshot().forced) == ("closed", None)
    assert [(event.action, event.by) for event in breaker.history()][:2] == [
        ("reset", "close()"),
        ("force_closed", "ann"),
    ]


def test_a_breaker_in_memory_has_a_history_and_forced_states_as_well() -> None:
    breaker = CircuitBreaker(name="local")
    breaker.force_open("ann")
    assert (breaker.snapshot().name, breaker.snapshot().forced_by) == ("local", "ann")
    with pytest.raises(CircuitBreakerError):
        breaker.call(int)
    assert [event.by for event in breaker.history()] == ["ann"]


def test_breakers_share_a_storage_in_memory() -> None:
    storage = MemoryStorage()
    one, other = (CircuitBreaker(state_storage=storage) for _ in range(2))
    call_and_fail(one, OSError())
    assert other.fail_counter == 1


def test_a_server_that_rejects_writes_changes_no_result(refusing: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("mail", refusing, POLICY, prefix=prefix)
    assert breaker.call(int, "1") == 1
    with pytest.raises(ValueError, match="invalid literal"):
        breaker.call(int, "one")


def test_without_redis_calls_are_still_guarded(unreachable: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("mail", unreachable, POLICY, prefix=prefix)
    call_and_fail(breaker, UnreachableError(""), UnreachableError(""), CircuitBreakerError("mail", 0))


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def impatient(stopwatch: Stopwatch) -> CircuitBreaker:
    policy = BreakerPolicy(failure_threshold=2, slow_call_seconds=5)
    return CircuitBreaker(policy=policy, monotonic=stopwatch)


def test_slow_calls_count_as_failures_however_they_are_guarded(
    impatient: CircuitBreaker, stopwatch: Stopwatch
) -> None:
    async def work() -> None:
        stopwatch.advance(6)

    impatient.call(stopwatch.advance, 6)
    assert impatient.fail_counter == 1
    impatient.call(stopwatch.advance, 5)
    assert impatient.fail_counter == 0
    with impatient.calling():
        stopwatch.advance(6)
    assert impatient.fail_counter == 1
    asyncio.run(impatient.call_async(work))
    assert impatient.current_state == "open"


def test_listeners_receive_the_success_of_a_slow_call(
    impatient: CircuitBreaker, stopwatch: Stopwatch
) -> None:
    events = []

    class Events(CircuitBreakerListener):
        def success(self, cb: Any) -> None:
            events.append("success")

        def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
            events.append(new_state.name)

    impatient.add_listener(Events())
    impatient.call(stopwatch.advance, 6)
    impatient.call(stopwatch.advance, 6)
    assert events == ["success", "open", "success"]


def test_listeners_do_not_prolong_a_call(impatient: CircuitBreaker, stopwatch: Stopwatch) -> None:
    class Slow(CircuitBreakerListener):
        def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            stopwatch.advance(100)

    impatient.add_listener(Slow())
    impatient.call(stopwatch.advance, 5)
    assert impatient.fail_counter == 0


def test_an_excluded_outcome_is_never_slow(impatient: CircuitBreaker) -> None:
    impatient.record(impatient.permit(2), [None, None], [100, 100])
    assert impatient.fail_counter == 0
