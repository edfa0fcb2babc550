"""A circuit breaker with pybreaker's API, for one process or, through Redis, for the whole fleet.

`call`, `calling` and the decorator guard one call, as in pybreaker; `calling(n)` guards a batch of n requests
in two round trips. Deliberate differences (reasons in docs/adr/0004-breaker-decided-on-the-server.md; both
libraries run the same cases in tests/resilience/test_breaker_conformance.py):

- No lock is held during a call or its listeners. Half open runs at most `success_threshold` calls at once.
- An excluded exception counts neither as failure nor as success, and listeners do not receive it.
- An interrupt (a BaseException that is not an Exception) never counts.
- Only the breaker that causes a transition reports it to its listeners. Assigning `state` changes the state.
- `MemoryStorage` and `RedisStorage` replace pybreaker's storages, whose reads and writes can interleave.
- A generator that handles an exception thrown into it has not failed.
- `call_async`, `call` and the decorator guard coroutine functions of asyncio, not Tornado's.
- A parameter with which the breaker could not work raises ValueError.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any, ParamSpec, Self, TypeVar, cast, overload
from uuid import uuid4

import redis
from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreakerListener

from domain.errors import RollcallError
from domain.retry import is_upstream_failure
from domain.text import describe
from resilience.breaker_model import (
    BreakerAction,
    BreakerEvent,
    BreakerSnapshot,
    BreakerState,
    Change,
    CircuitBreakerError,
    Permit,
    Scope,
)
from resilience.breaker_policy import DEFAULT_POLICY, BreakerPolicy
from resilience.breaker_storage import BreakerStorage, MemoryStorage, RedisStorage
from resilience.scripts import Clock

__all__ = [
    "STATE_CLOSED",
    "STATE_HALF_OPEN",
    "STATE_OPEN",
    "CircuitBreaker",
    "CircuitBreakerError",
    "CircuitBreakerListener",
    "MemoryStorage",
    "RedisStorage",
]

P = ParamSpec("P")
R = TypeVar("R")

Exclusion = type[BaseException] | Callable[[Any], bool]
"""An exception class or a predicate of an exception."""

_ACTIONS: dict[str, BreakerAction] = {STATE_CLOSED: "reset", STATE_OPEN: "open", STATE_HALF_OPEN: "half_open"}


def _parameter(field: str, doc: str) -> Any:
    """A parameter of the policy, which may be set at any time."""

    def write(breaker: CircuitBreaker, value: float) -> None:
        changed: Any = {field: value}
        breaker.policy = replace(breaker.policy, **changed)

    return property(lambda breaker: getattr(breaker.policy, field), write, doc=doc)


class CircuitBreaker:
    """One breaker. Every process with the same `RedisStorage` (Redis, prefix and name) shares it.

    The first eight parameters are pybreaker's. `policy` replaces the first three, and has the rules that
    pybreaker lacks. `describe` formats an error for display, without secrets; `monotonic` returns seconds.
    """

    fail_max = _parameter("failure_threshold", "Consecutive failures that open it.")
    reset_timeout = _parameter("recovery_seconds", "Seconds that it stays open.")
    success_threshold = _parameter("success_threshold", "Successful probes that close it.")

    def __init__(  # noqa: PLR0913, PLR0917 - pybreaker's parameters
        self,
        fail_max: int = 5,
        reset_timeout: float = 60,
        success_threshold: int = 1,
        exclude: Iterable[Exclusion] | None = None,
        listeners: Iterable[CircuitBreakerListener] | None = None,
        state_storage: BreakerStorage | None = None,
        name: str | None = None,
        throw_new_error_on_trip: bool = True,  # noqa: FBT001, FBT002 - as in pybreaker
        *,
        policy: BreakerPolicy | None = None,
        describe: Callable[[BaseException], str] = describe,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = policy or BreakerPolicy(fail_max, reset_timeout, success_threshold)
        self._state_storage = state_storage or MemoryStorage()
        self.name = name
        self._excluded = list(exclude or ())
        self._listeners = list(listeners or ())
        self._throw_new_error_on_trip = throw_new_error_on_trip
        self._describe = describe
        self._monotonic = monotonic
        self._lock = Lock()
        self._seen = BreakerState(STATE_CLOSED, self._state_storage.scope)

    @classmethod
    def shared(
        cls,
        name: str,
        client: redis.Redis,
        policy: BreakerPolicy = DEFAULT_POLICY,
        *,
        prefix: str = "rollcall",
        now_ms: Clock | None = None,
        **options: Any,
    ) -> Self:
        """The breaker of the upstream `name`, shared through Redis; `options` as for the constructor.

        Only upstream failures count (`domain.retry.is_upstream_failure`), and the call that opens it raises
        its own error.
        """
        storage = RedisStorage(client, name, prefix=prefix, now_ms=now_ms)
        exclude = [lambda error: not is_upstream_failure(error)]
        options = {"exclude": exclude, "throw_new_error_on_trip": False, **options}
        return cls(state_storage=storage, name=name, policy=policy, **options)

    def call(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `func`; for a coroutine function, return a guarded coroutine.

        A generator that `func` returns is guarded until its end; one that never starts is not recorded.
        Raises: CircuitBreakerError before the call if it is not permitted, and for the call that opens the
        breaker, unless `throw_new_error_on_trip` is false.
        """
        if inspect.iscoroutinefunction(func):
            return cast("R", self.call_async(func, *args, **kwargs))
        with ExitStack() as guard:
            guard.enter_context(self._guarded(1, func, *args, **kwargs))
            result = func(*args, **kwargs)
            if inspect.isgenerator(result):
                return cast("R", _iterate(result, guard.pop_all()))
            return result

    async def call_async(self, func: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `func`'s coroutine; Redis round trips do not block the event loop."""
        guard = self._guarded(1, func, *args, **kwargs)
        await asyncio.to_thread(guard.__enter__)
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            await asyncio.to_thread(guard.__exit__, type(error), error, error.__traceback__)
            raise
        await asyncio.to_thread(guard.__exit__, None, None, None)
        return result

    @contextmanager
    def calling(self, n: int = 1) -> Iterator[Permit]:
        """Guard the body of a `with` statement, which makes up to `n` requests: `permit.granted` of them.

        The body may `record` their outcomes; otherwise all of them succeeded or, if it raises, one failed.
        Raises: as `call`.
        """
        with self._guarded(n, self.calling) as permit:
            yield permit

    @overload
    def __call__(self, func: Callable[P, R]) -> Callable[P, R]: ...
    @overload
    def __call__(self) -> Self: ...
    def __call__(self, func: Callable[P, R] | None = None) -> Callable[P, R] | Self:
        """Decorator, with or without parentheses: guard every call of `func`."""
        if func is None:
            return self
        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.call_async(func, *args, **kwargs)

            return cast("Callable[P, R]", awaited)

        @functools.wraps(func)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(func, *args, **kwargs)

        return called

    def permit(self, n: int) -> Permit:
        """Request `n` permits; half open grants only free probe slots, open grants none.

        During a ramp, what exceeds the budget of a step is refused until the next. A refusal costs nothing.
        """
        permit = self._state_storage.permit(self.policy, n, uuid4().hex)
        self._report(permit.change, permit.scope)
        return permit

    def record(
        self,
        permit: Permit,
        outcomes: Sequence[bool | None],
        durations_seconds: Sequence[float] | None = None,
        *,
        error: BaseException | None = None,
    ) -> None:
        """Record the outcomes of the granted requests, in order: True success, False failure, None excluded.

        Requests without an outcome count as excluded. With `durations_seconds`, one per outcome, a success
        longer than `policy.slow_call_seconds` counts as a failure. A permit of an older generation or of
        another scope changes nothing. `error` is stored as the reason of the last failure.
        Raises: ValueError for more outcomes than granted requests, or a different number of durations.
        """
        self._report(self._record(permit, outcomes, durations_seconds, error), permit.scope)

    def open(self) -> bool:
        """Open it for `reset_timeout` seconds; return whether the opening call raises a new error."""
        self._apply("open", "open()")
        return self._throw_new_error_on_trip

    def half_open(self) -> None:
        """Let probes through: `success_threshold` successes close it, a failure opens it."""
        self._apply("half_open", "half_open()")

    def close(self) -> None:
        """Close it, with all counts at zero; this also ends a forced state."""
        self.reset("close()")

    def force_open(self, by: str) -> None:
        """Force it open until `reset`; it survives a restart of Redis with an append-only file.

        Raises: UnreachableError, as does every method that sets the state, and `history`.
        """
        self._apply("force_open", by)

    def force_closed(self, by: str) -> None:
        """Force it closed until `reset`: every request is permitted; failures are still counted."""
        self._apply("force_closed", by)

    def reset(self, by: str) -> None:
        """End a forced state: closed, with all counts at zero."""
        self._apply("reset", by)

    def history(self) -> list[BreakerEvent]:
        """The last 100 times that the state was set, newest first."""
        return self._state_storage.history()

    def snapshot(self) -> BreakerSnapshot:
        """The current state; reading changes nothing."""
        found = replace(self._state_storage.read(self.policy), name=self.name or "")
        self._report(Change(found.state, found.state), found.scope)
        return found

    @property
    def state(self) -> BreakerState:
        """The current state, as listeners receive it; assign "closed", "open" or "half-open" to set it."""
        found = self.snapshot()
        return BreakerState.of(found.state, found.scope)

    @state.setter
    def state(self, name: str) -> None:
        if name not in _ACTIONS:
            raise ValueError(f"unknown state {name!r}, valid states: {', '.join(_ACTIONS)}")
        self._apply(_ACTIONS[name], f"state = {name!r}")

    @property
    def current_state(self) -> str:
        """The state by pybreaker's name: "closed", "open" or "half-open"."""
        return self.state.name

    @property
    def fail_counter(self) -> int:
        """Consecutive failures."""
        return self.snapshot().failures

    @property
    def success_counter(self) -> int:
        """Successful probes while half open."""
        return self.snapshot().successes

    @property
    def listeners(self) -> tuple[CircuitBreakerListener, ...]:
        """The registered listeners."""
        return tuple(self._listeners)

    def add_listener(self, listener: CircuitBreakerListener) -> None:
        """Register `listener`."""
        self._listeners.append(listener)

    def add_listeners(self, *listeners: CircuitBreakerListener) -> None:
        """Register all of `listeners`."""
        self._listeners.extend(listeners)

    def remove_listener(self, listener: CircuitBreakerListener) -> None:
        """Unregister `listener`. Raises: ValueError if it is not registered."""
        self._listeners.remove(listener)

    @property
    def excluded_exceptions(self) -> tuple[Exclusion, ...]:
        """The exception classes and predicates that do not count."""
        return tuple(self._excluded)

    def add_excluded_exception(self, exception: Exclusion) -> None:
        """Exclude `exception`, a class or predicate."""
        self._excluded.append(exception)

    def add_excluded_exceptions(self, *exceptions: Exclusion) -> None:
        """Exclude all of `exceptions`."""
        self._excluded.extend(exceptions)

    def remove_excluded_exception(self, exception: Exclusion) -> None:
        """Count `exception` again. Raises: ValueError if it is not excluded."""
        self._excluded.remove(exception)

    def is_system_error(self, exception: BaseException) -> bool:
        """Whether `exception` counts as a failure: an Exception that is not excluded."""
        return isinstance(exception, Exception) and not any(
            isinstance(exception, rule) if isinstance(rule, type) else rule(exception)
            for rule in self.excluded_exceptions
        )

    @contextmanager
    def _guarded(self, n: int, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Permit]:
        permit = self.permit(n)
        if not permit.granted:
            raise CircuitBreakerError(self.name, permit.retry_after_seconds)
        for listener in self.listeners:
            listener.before_call(cast("Any", self), func, *args, **kwargs)
        started = self._monotonic()
        try:
            yield permit
        except BaseException as error:
            if not permit.is_recorded:
                self._record_raised(permit, error)
            raise
        if not permit.is_recorded:
            seconds = self._monotonic() - started
            self.record(permit, [True] * permit.granted, [seconds] * permit.granted)
            for listener in self.listeners:
                listener.success(cast("Any", self))

    def _record_raised(self, permit: Permit, error: BaseException) -> None:
        """Record that the call raised `error`. Raises: CircuitBreakerError if that opens the breaker."""
        if not self.is_system_error(error):
            # A defect in the caller is not the upstream's; an expected error is worth showing.
            self.record(permit, [], error=error if isinstance(error, RollcallError) else None)
            return
        change = self._record(permit, [False], None, error)
        for listener in self.listeners:
            listener.failure(cast("Any", self), error)
        self._report(change, permit.scope)
        if self._throw_new_error_on_trip and change and change.before != change.after == "open":
            raise CircuitBreakerError(self.name, self.policy.recovery_seconds) from error

    def _record(
        self,
        permit: Permit,
        outcomes: Sequence[bool | None],
        durations_seconds: Sequence[float] | None,
        error: BaseException | None,
    ) -> Change | None:
        judged = self.policy.judge(permit.granted, outcomes, durations_seconds)
        permit.is_recorded = True
        if not permit.granted:
            return None
        reason = None if error is None else self._describe(error)
        return self._state_storage.record(self.policy, permit, judged, reason)

    def _apply(self, action: BreakerAction, by: str) -> None:
        self._report(self._state_storage.apply(action, by), self._state_storage.scope)

    def _report(self, change: Change | None, scope: Scope) -> None:
        """Report to the listeners a transition, or that the scope has changed."""
        if change is None:
            return
        before, after = BreakerState.of(change.before, scope), BreakerState.of(change.after, scope)
        with self._lock:
            seen, self._seen = self._seen, after
        if seen.scope != scope:
            self._report_change(seen, before)
        if before != after:
            self._report_change(before, after)

    def _report_change(self, old: BreakerState, new: BreakerState) -> None:
        for listener in self.listeners:
            listener.state_change(cast("Any", self), cast("Any", old), cast("Any", new))


def _iterate(generator: Any, guard: ExitStack) -> Generator[Any, Any, Any]:
    """Yield from `generator`, guarded until its end."""
    with guard:
        return (yield from generator)
