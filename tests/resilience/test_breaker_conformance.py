"""The same cases against pybreaker and Rollcall's breaker; a deliberate difference names both results."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pybreaker
import pytest
import redis

from resilience import breaker as rollcall
from tests.support.redis_server import valkey_binary

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def server_binary() -> Path:
    """One server is enough here: the Lua is compared with its model on both."""
    return valkey_binary()


@pytest.fixture(params=["pybreaker", "memory", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(kind: str, request: pytest.FixtureRequest) -> Make:
    """Builds a breaker of `kind` from pybreaker's arguments; those of one test share their state in Redis."""
    if kind == "pybreaker":
        return pybreaker.CircuitBreaker
    if kind == "memory":
        return rollcall.CircuitBreaker
    client: redis.Redis = request.getfixturevalue("redis_client")
    storage = rollcall.RedisStorage(client, "b", prefix=request.getfixturevalue("prefix"))
    return partial(rollcall.CircuitBreaker, state_storage=storage)


class Recorder(pybreaker.CircuitBreakerListener):
    """Records the events that a listener receives."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.events.append(("before_call", func.__name__, args, kwargs))

    def success(self, cb: Any) -> None:
        self.events.append("success")

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.events.append(("failure", type(exc), cb.fail_counter))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.events.append((old_state.name, new_state.name))


def fail(error: BaseException) -> None:
    raise error


def call_and_fail(breaker: Any, *errors: BaseException) -> None:
    for error in errors:
        with pytest.raises(type(error)):
            breaker.call(fail, error)


def trip(breaker: Any) -> None:
    call_and_fail(breaker, *[OSError() for _ in range(breaker.fail_max - 1)])
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail, OSError())


def test_the_defaults(make: Make) -> None:
    breaker = make()
    assert (breaker.fail_max, breaker.reset_timeout, breaker.success_threshold) == (5, 60, 1)
    assert (breaker.fail_counter, breaker.success_counter, breaker.current_state) == (0, 0, "closed")
    assert (breaker.excluded_exceptions, breaker.listeners) == ((), ())
    assert breaker.name is None


def test_parameters_are_positional_and_can_be_changed(make: Make) -> None:
    breaker = make(3, 30, 2, name="mail")
    assert (breaker.fail_max, breaker.reset_timeout, breaker.success_threshold) == (3, 30, 2)
    breaker.fail_max, breaker.reset_timeout, breaker.success_threshold, breaker.name = 4, 0.5, 5, "post"
    assert (breaker.fail_max, breaker.reset_timeout, breaker.success_threshold) == (4, 0.5, 5)
    assert breaker.name == "post"


def test_a_lowered_fail_max_applies_to_the_next_failure(make: Make) -> None:
    breaker = make()
    call_and_fail(breaker, OSError(), OSError())
    breaker.fail_max = 1
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail, OSError())


def test_a_call_returns_the_result_of_the_function(make: Make) -> None:
    assert make().call(divmod, 7, 2) == (3, 1)
    assert make().call(int, "7", base=8) == 7


def test_a_success_resets_the_count_of_failures(make: Make) -> None:
    breaker = make()
    call_and_fail(breaker, OSError(), ValueError())
    assert breaker.fail_counter == 2
    breaker.call(int)
    assert (breaker.fail_counter, breaker.current_state) == (0, "closed")


def test_the_call_that_opens_it_raises_a_breaker_error_caused_by_its_own(make: Make) -> None:
    breaker = make(fail_max=2)
    call_and_fail(breaker, OSError("first"))
    with pytest.raises(pybreaker.CircuitBreakerError) as tripped:
        breaker.call(fail, OSError("second"))
    assert "OSError: second" in "".join(traceback.format_exception(tripped.value))
    assert (breaker.current_state, breaker.fail_counter) == ("open", 2)


def test_the_call_that_opens_it_can_raise_its_own_error(make: Make) -> None:
    breaker = make(fail_max=2, throw_new_error_on_trip=False)
    call_and_fail(breaker, OSError(), OSError())
    assert breaker.current_state == "open"
    breaker.half_open()
    call_and_fail(breaker, OSError())
    assert breaker.current_state == "open"


def test_while_open_nothing_is_called(make: Make) -> None:
    breaker = make(fail_max=1)
    trip(breaker)
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(pytest.fail, "called while open")
    assert (breaker.current_state, breaker.fail_counter) == ("open", 1)


def test_after_the_timeout_one_success_closes_it(make: Make) -> None:
    breaker = make(fail_max=2)
    trip(breaker)
    breaker.reset_timeout = 0
    assert breaker.current_state == "open"
    assert breaker.call(int, "1") == 1
    assert (breaker.current_state, breaker.fail_counter, breaker.success_counter) == ("closed", 0, 0)


def test_after_the_timeout_one_failure_opens_it_again(make: Make) -> None:
    breaker = make(fail_max=2)
    trip(breaker)
    breaker.reset_timeout = 0
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail, OSError())
    assert (breaker.current_state, breaker.fail_counter) == ("open", 3)


def test_success_threshold_successes_close_it_and_a_failure_clears_their_count(make: Make) -> None:
    breaker = make(success_threshold=2)
    breaker.half_open()
    breaker.call(int)
    assert (breaker.current_state, breaker.success_counter) == ("half-open", 1)
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail, OSError())
    assert (breaker.current_state, breaker.success_counter) == ("open", 0)
    breaker.half_open()
    breaker.call(int)
    breaker.call(int)
    assert (breaker.current_state, breaker.success_counter) == ("closed", 0)


def test_open_half_open_and_close_set_the_state(make: Make) -> None:
    breaker = make()
    call_and_fail(breaker, OSError())
    assert breaker.open() is True
    assert (breaker.current_state, breaker.state.name, breaker.fail_counter) == ("open", "open", 1)
    breaker.half_open()
    assert (breaker.current_state, breaker.fail_counter) == ("half-open", 1)
    breaker.close()
    assert (breaker.current_state, breaker.fail_counter) == ("closed", 0)
    assert make(throw_new_error_on_trip=False).open() is False


def test_opened_by_hand_it_recovers_after_the_timeout(make: Make) -> None:
    breaker = make()
    breaker.open()
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(int)
    breaker.reset_timeout = 0
    breaker.call(int)
    assert breaker.current_state == "closed"


def test_excluded_classes_and_predicates_do_not_count_as_failures(make: Make) -> None:
    breaker = make(exclude=[LookupError, lambda error: "ours" in str(error)])
    call_and_fail(breaker, KeyError(), ValueError("ours"))
    assert breaker.fail_counter == 0
    call_and_fail(breaker, ValueError("theirs"))
    assert breaker.fail_counter == 1
    assert [breaker.is_system_error(error) for error in (KeyError(), ValueError("theirs"))] == [False, True]


def test_exclusions_are_added_and_removed(make: Make) -> None:
    breaker = make()
    breaker.add_excluded_exception(KeyError)
    breaker.add_excluded_exceptions(OSError, ValueError)
    assert breaker.excluded_exceptions == (KeyError, OSError, ValueError)
    breaker.remove_excluded_exception(OSError)
    assert breaker.excluded_exceptions == (KeyError, ValueError)
    with pytest.raises(ValueError, match="not in list"):
        breaker.remove_excluded_exception(OSError)


def test_listeners_are_added_and_removed(make: Make) -> None:
    first, second, third = (pybreaker.CircuitBreakerListener() for _ in range(3))
    breaker = make(listeners=[first])
    breaker.add_listener(second)
    breaker.add_listeners(third)
    assert breaker.listeners == (first, second, third)
    breaker.remove_listener(second)
    assert breaker.listeners == (first, third)
    with pytest.raises(ValueError, match="not in list"):
        breaker.remove_listener(second)


def test_listeners_receive_the_events_of_a_call_in_order(make: Make) -> None:
    recorder = Recorder()
    breaker = make(fail_max=2, listeners=(recorder,))
    breaker.call(int, "7", base=8)
    call_and_fail(breaker, OSError())
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail, ValueError())
    breaker.reset_timeout = 0
    breaker.call(int)
    assert [event for event in recorder.events if event[0] != "before_call"] == [
        "success",
        ("failure", OSError, 1),
        ("failure", ValueError, 2),
        ("closed", "open"),
        ("open", "half-open"),
        ("half-open", "closed"),
        "success",
    ]
    assert recorder.events[0] == ("before_call", "int", ("7",), {"base": 8})
    assert recorder.events.index(("open", "half-open")) < recorder.events.index(
        ("before_call", "int", (), {})
    )


def test_listeners_receive_states_that_are_set_by_hand(make: Make) -> None:
    recorder = Recorder()
    breaker = make(listeners=[recorder])
    breaker.open()
    breaker.half_open()
    breaker.close()
    assert recorder.events == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_a_refused_call_is_no_event(make: Make) -> None:
    breaker, recorder = make(), Recorder()
    breaker.open()
    breaker.add_listener(recorder)
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(int)
    assert recorder.events == []


def test_it_decorates_functions_with_and_without_parentheses(make: Make) -> None:
    breaker = make()

    def double(number: int) -> int:
        """Twice the number."""
        return 2 * number

    guarded = breaker(double)
    assert (guarded(4), guarded.__name__, guarded.__doc__) == (8, "double", "Twice the number.")
    with pytest.raises(TypeError):
        breaker()(double)("many", "numbers")
    assert breaker.fail_counter == 1


def test_it_guards_a_block(make: Make) -> None:
    breaker = make(fail_max=2)
    with breaker.calling():
        pass
    with pytest.raises(OSError, match="first"), breaker.calling():
        raise OSError("first")
    with pytest.raises(pybreaker.CircuitBreakerError), breaker.calling():
        raise OSError("second")
    with pytest.raises(pybreaker.CircuitBreakerError), breaker.calling():
        pytest.fail("entered while open")


def test_a_generator_is_guarded_until_its_end(make: Make) -> None:
    breaker = make(fail_max=2)

    def reply(error: Exception | None = None) -> Generator[str, str, str]:
        received = yield "first"
        if error is not None:
            raise error
        return received

    echo = breaker(reply)
    call_and_fail(breaker, ValueError())
    running = echo()
    assert next(running) == "first"
    assert breaker.fail_counter == 1
    with suppress(StopIteration):
        running.send("second")
    assert breaker.fail_counter == 0
    for raised in (OSError, pybreaker.CircuitBreakerError):
        failing = echo(OSError())
        next(failing)
        with pytest.raises(raised):
            failing.send("second")
    with pytest.raises(pybreaker.CircuitBreakerError):
        echo()


def test_a_guarded_generator_can_be_a_context_manager(make: Make) -> None:
    breaker = make()

    def translating() -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise ValueError("translated") from error

    with pytest.raises(ValueError, match="translated"), contextmanager(breaker(translating))():
        raise OSError
    assert breaker.fail_counter == 1


def test_parallel_failures_count_up_to_fail_max(make: Make) -> None:
    breaker = make(fail_max=60)

    def work(_: int) -> None:
        for _ in range(10):
            with suppress(OSError, pybreaker.CircuitBreakerError):
                breaker.call(fail, OSError())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert (breaker.current_state, breaker.fail_counter) == ("open", 60)


# Deliberate differences: each test names pybreaker's result beside ours.


def test_difference_an_excluded_exception_neither_counts_nor_resets_the_count(make: Make, kind: str) -> None:
    recorder = Recorder()
    breaker = make(exclude=[KeyError], listeners=[recorder], success_threshold=2)
    call_and_fail(breaker, OSError(), KeyError())
    breaker.half_open()
    call_and_fail(breaker, KeyError())
    expected = (0, 1, 2) if kind == "pybreaker" else (1, 0, 0)
    assert (breaker.fail_counter, breaker.success_counter, recorder.events.count("success")) == expected


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_difference_an_interrupt_does_not_count(
    make: Make, kind: str, interrupt: type[BaseException]
) -> None:
    breaker = make()
    call_and_fail(breaker, interrupt())
    assert breaker.fail_counter == (1 if kind == "pybreaker" else 0)


def test_difference_calls_run_in_parallel(make: Make, kind: str) -> None:
    breaker, is_running, may_end = make(), Event(), Event()

    def work() -> None:
        is_running.set()
        may_end.wait(30)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(breaker.call, work)
        is_running.wait(30)
        second = threads.submit(breaker.call, may_end.set)
        if kind == "pybreaker":
            assert not may_end.wait(0.05)  # the second call waits for the lock of the first
            may_end.set()
        first.result(30)
        second.result(30)


def test_difference_while_half_open_no_more_calls_run_than_close_it(make: Make, kind: str) -> None:
    breaker = make()
    breaker.half_open()
    with breaker.calling():
        if kind == "pybreaker":
            assert breaker.call(int, "1") == 1
        else:
            with pytest.raises(pybreaker.CircuitBreakerError):
                breaker.call(int, "1")


def test_difference_a_transition_is_reported_once_by_the_breaker_that_caused_it(kind: str) -> None:
    module: Any = pybreaker if kind == "pybreaker" else rollcall
    storage = (module.CircuitMemoryStorage if kind == "pybreaker" else module.MemoryStorage)("closed")
    recorders = [Recorder(), Recorder()]
    one, other = (module.CircuitBreaker(state_storage=storage, listeners=[each]) for each in recorders)
    one.open()
    assert (one.state.name, other.state.name) == ("open", "open")
    assert recorders[0].events == [("closed", "open")]
    assert recorders[1].events == ([("closed", "open")] if kind == "pybreaker" else [])


@pytest.mark.parametrize("state", ["closed", "open", "half-open"])
def test_a_storage_in_memory_begins_in_the_given_state(kind: str, state: str) -> None:
    module: Any = pybreaker if kind == "pybreaker" else rollcall
    storage = (module.CircuitMemoryStorage if kind == "pybreaker" else module.MemoryStorage)(state)
    breaker = module.CircuitBreaker(state_storage=storage)
    assert (breaker.state.name, breaker.call(int)) == (state, 0)
    assert breaker.current_state == "closed"


def test_difference_assigning_a_state_sets_it(make: Make, kind: str) -> None:
    breaker = make()
    states = []
    for state in ("open", "half-open", "closed"):
        breaker.state = state
        states.append(breaker.current_state)
    assert states == (["closed"] * 3 if kind == "pybreaker" else ["open", "half-open", "closed"])
    with pytest.raises(ValueError, match="valid states: "):
        breaker.state = "ajar"


def test_difference_a_generator_that_handles_a_thrown_exception_succeeds(make: Make, kind: str) -> None:
    breaker = make()

    def tolerant() -> Generator[None, None, None]:
        with suppress(OSError):
            yield

    guarded = contextmanager(breaker(tolerant))
    with pytest.raises(RuntimeError) if kind == "pybreaker" else nullcontext(), guarded():
        raise OSError
    assert breaker.fail_counter == (1 if kind == "pybreaker" else 0)


def test_difference_impossible_parameters_are_rejected(make: Make, kind: str) -> None:
    for parameter in ("fail_max", "success_threshold"):
        with nullcontext() if kind == "pybreaker" else pytest.raises(ValueError, match="cannot work"):
            make(**{parameter: 0})


def test_difference_call_async_guards_coroutines_of_asyncio(make: Make, kind: str) -> None:
    async def work() -> str:
        return "done"

    breaker = make()
    if kind == "pybreaker":
        with pytest.raises(NameError):
            breaker.call_async(work)
    else:
        assert asyncio.run(breaker.call_async(work)) == "done"


def test_the_module_names_what_pybreaker_exports_except_its_storages() -> None:
    storages = {"CircuitMemoryStorage", "CircuitRedisStorage"}
    assert set(rollcall.__all__) == {*pybreaker.__all__} - storages | {"MemoryStorage", "RedisStorage"}
