from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pybreaker
import pytest
import redis
from dramatiq.middleware import Shutdown, TimeLimitExceeded

from domain.errors import TransientError, is_retryable
from resilience.breaker import CircuitBreaker
from resilience.breaker_model import CircuitBreakerError
from resilience.breaker_policy import BreakerPolicy

POLICY = BreakerPolicy(failure_threshold=2, recovery_seconds=60, success_threshold=1)


class Ear(pybreaker.CircuitBreakerListener):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.heard.append(("before", func.__name__, args, kwargs))

    def success(self, cb: Any) -> None:
        self.heard.append("success")

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.heard.append(("failure", type(exc)))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.heard.append((cb.name, old_state.name, new_state.name))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def breaker(redis_client: redis.Redis, prefix: str, ear: Ear) -> CircuitBreaker:
    return CircuitBreaker(
        "mail",
        redis_client,
        POLICY,
        listeners=[ear],
        exclude=[LookupError, lambda error: "ours" in str(error)],
        prefix=prefix,
    )


def fail(error: BaseException) -> None:
    raise error


def call_and_fail(breaker: CircuitBreaker, *errors: BaseException) -> None:
    for error in errors:
        with pytest.raises(type(error)):
            breaker.call(fail, error)


def test_a_call_gives_what_the_function_gives(breaker: CircuitBreaker) -> None:
    assert breaker.call(divmod, 7, 2) == (3, 1)


def test_failures_come_through_and_open_it_and_then_the_call_is_refused(breaker: CircuitBreaker) -> None:
    call_and_fail(breaker, OSError(), OSError())
    with pytest.raises(CircuitBreakerError) as refused:
        breaker.call(pytest.fail, "called while open")
    assert 59 < refused.value.retry_after_seconds <= 60
    assert refused.value.retry_after == refused.value.retry_after_seconds


def test_a_refusal_is_pybreakers_error_and_a_transient_one() -> None:
    error = CircuitBreakerError("mail", 9)
    assert isinstance(error, pybreaker.CircuitBreakerError)
    assert isinstance(error, TransientError)
    assert is_retryable(error)


@pytest.mark.parametrize(
    "interrupt", [Shutdown, TimeLimitExceeded, KeyboardInterrupt, SystemExit, asyncio.CancelledError]
)
def test_interrupts_are_no_failures(breaker: CircuitBreaker, interrupt: type[BaseException]) -> None:
    call_and_fail(breaker, *(interrupt() for _ in range(5)))
    assert (breaker.current_state, breaker.fail_counter) == ("closed", 0)


def test_excluded_errors_neither_count_nor_reset_the_count(breaker: CircuitBreaker) -> None:
    call_and_fail(breaker, OSError(), KeyError(), ValueError("ours"))
    assert breaker.fail_counter == 1
    call_and_fail(breaker, ValueError("theirs"))
    assert breaker.current_state == "open"


def test_an_interrupted_probe_gives_its_slot_back(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = 0
    breaker = CircuitBreaker("mail", redis_client, POLICY, now_ms=lambda: now_ms, prefix=prefix)
    call_and_fail(breaker, OSError(), OSError())
    now_ms = 60_000
    call_and_fail(breaker, Shutdown())
    assert breaker.current_state == "half-open"
    assert breaker.call(int, "1") == 1
    assert breaker.current_state == "closed"


def test_no_lock_is_held_during_the_call(breaker: CircuitBreaker) -> None:
    everybody_is_inside = Barrier(8, timeout=30)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: breaker.call(everybody_is_inside.wait), range(8)))


def test_it_decorates_functions(breaker: CircuitBreaker) -> None:
    @breaker
    def double(number: int) -> int:
        return 2 * number

    assert (double(4), double.__name__) == (8, "double")


def test_it_guards_coroutine_functions_however_they_are_given(breaker: CircuitBreaker) -> None:
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
        with pytest.raises(OSError, match="second"):
            await breaker.call(plain, OSError("second"))
        with pytest.raises(CircuitBreakerError):
            await breaker.call_async(plain)

    assert inspect.iscoroutinefunction(work)
    asyncio.run(scenario())


def test_it_guards_a_block(breaker: CircuitBreaker) -> None:
    with breaker.calling():
        pass
    for _ in range(2):
        with pytest.raises(OSError, match="down"), breaker.calling():
            raise OSError("down")
    with pytest.raises(CircuitBreakerError), breaker.calling():
        pytest.fail("entered while open")


def test_listeners_hear_what_pybreakers_listeners_hear(breaker: CircuitBreaker, ear: Ear) -> None:
    breaker.call(int, "7", base=8)
    call_and_fail(breaker, OSError(), KeyError(), OSError())
    assert [event for event in ear.heard if event[0] != "before"] == [
        "success",
        ("failure", OSError),
        ("mail", "closed", "open"),
        ("failure", OSError),
    ]
    assert ear.heard[0] == ("before", "int", ("7",), {"base": 8})


def test_listeners_come_and_go(breaker: CircuitBreaker, ear: Ear) -> None:
    late = Ear()
    breaker.remove_listener(ear)
    breaker.add_listener(late)
    breaker.add_listeners(ear)
    assert breaker.listeners == (late, ear)


def test_pybreakers_names_tell_the_policy_and_the_counts(breaker: CircuitBreaker) -> None:
    assert (breaker.name, breaker.fail_max, breaker.reset_timeout) == ("mail", 2, 60)
    assert (breaker.success_threshold, breaker.success_counter, breaker.fail_counter) == (1, 0, 0)


def test_open_and_close_hold_it_and_give_it_back(breaker: CircuitBreaker) -> None:
    assert breaker.open()
    assert (breaker.current_state, breaker.snapshot().forced) == ("open", "open")
    breaker.close()
    assert (breaker.current_state, breaker.snapshot().forced) == ("closed", None)


def test_a_server_that_takes_nothing_replaces_no_answer(refusing: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker("mail", refusing, POLICY, prefix=prefix)
    assert breaker.call(int, "1") == 1
    with pytest.raises(ValueError, match="invalid literal"):
        breaker.call(int, "one")


def test_without_redis_calls_are_still_guarded(unreachable: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker("mail", unreachable, POLICY, prefix=prefix)
    call_and_fail(breaker, OSError(), OSError(), CircuitBreakerError("mail", 0))


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def take(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def impatient(redis_client: redis.Redis, prefix: str, ear: Ear, stopwatch: Stopwatch) -> CircuitBreaker:
    policy = BreakerPolicy(failure_threshold=2, slow_call_seconds=5)
    return CircuitBreaker("mail", redis_client, policy, listeners=[ear], monotonic=stopwatch, prefix=prefix)


def test_slow_calls_count_as_failures_however_they_are_guarded(
    impatient: CircuitBreaker, stopwatch: Stopwatch
) -> None:
    async def work() -> None:
        stopwatch.take(6)

    impatient.call(stopwatch.take, 6)
    assert impatient.fail_counter == 1
    impatient.call(stopwatch.take, 5)
    assert impatient.fail_counter == 0
    with impatient.calling():
        stopwatch.take(6)
    assert impatient.fail_counter == 1
    asyncio.run(impatient.call_async(work))
    assert impatient.current_state == "open"


def test_listeners_hear_the_success_of_a_slow_call(
    impatient: CircuitBreaker, ear: Ear, stopwatch: Stopwatch
) -> None:
    impatient.call(stopwatch.take, 6)
    impatient.call(stopwatch.take, 6)
    assert [event for event in ear.heard if event[0] != "before"] == [
        "success",
        ("mail", "closed", "open"),
        "success",
    ]


def test_what_listeners_do_before_a_call_is_no_part_of_it(
    impatient: CircuitBreaker, stopwatch: Stopwatch
) -> None:
    class Slow(pybreaker.CircuitBreakerListener):
        def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            stopwatch.take(100)

    impatient.add_listener(Slow())
    impatient.call(stopwatch.take, 5)
    assert impatient.fail_counter == 0


def test_an_excluded_outcome_may_take_its_time(impatient: CircuitBreaker) -> None:
    impatient.record(impatient.permit(2), [None, None], [100, 100])
    assert impatient.fail_counter == 0
