"""pybreaker's API, with a permit before each call and a record after it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast

import pybreaker

from resilience.breaker_model import (
    BreakerSnapshot,
    BreakerState,
    CircuitBreakerError,
    Permit,
    pybreaker_name,
)
from resilience.breaker_policy import BreakerPolicy

P = ParamSpec("P")
R = TypeVar("R")

Exclusion = type[Exception] | Callable[[Exception], bool]
"""An exception class or predicate; matching calls count neither as failure nor as success."""

Stopwatch = Callable[[], float]
"""Monotonic seconds."""


class Guard(ABC):
    """Guards calls; no lock is held while the guarded call runs.

    The call's own exception always propagates, also from the call that trips the breaker. A slow call counts
    as a failure, but listeners receive `success`, because there is no exception to pass. The measured
    duration excludes the round trips to Redis. Raises: CircuitBreakerError before the call if it is not
    permitted.
    """

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy,
        *,
        listeners: Iterable[pybreaker.CircuitBreakerListener],
        exclude: Iterable[Exclusion],
        monotonic: Stopwatch = time.monotonic,
    ) -> None:
        self.name = name
        self.policy = policy
        self._listeners = tuple(listeners)
        self._exclude = tuple(exclude)
        self._monotonic = monotonic
        self._lock = Lock()

    @abstractmethod
    def permit(self, n: int) -> Permit:
        """Request `n` permits."""

    @abstractmethod
    def record(
        self,
        permit: Permit,
        outcomes: Sequence[bool | None],
        durations_seconds: Sequence[float] | None = None,
    ) -> None:
        """Record outcomes and durations."""

    @abstractmethod
    def note_error(self, error: BaseException) -> None:
        """Store `error` as the reason of the last failure, for display; counts are unchanged."""

    @abstractmethod
    def force_open(self, by: str) -> None:
        """Force it open."""

    @abstractmethod
    def reset(self, by: str) -> None:
        """Give it back to itself, closed."""

    @abstractmethod
    def snapshot(self) -> BreakerSnapshot:
        """The current state."""

    def call(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `func`; for a coroutine function, return a guarded coroutine."""
        if inspect.iscoroutinefunction(func):
            return cast("R", self.call_async(func, *args, **kwargs))
        with self._guarding(func, *args, **kwargs):
            return func(*args, **kwargs)

    async def call_async(self, func: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `func`'s coroutine; Redis round trips do not block the event loop."""
        permit = await asyncio.to_thread(self._admit, func, *args, **kwargs)
        started = self._monotonic()
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            await asyncio.to_thread(self._settle_failed, permit, error)
            raise
        await asyncio.to_thread(self._settle_returned, permit, self._monotonic() - started)
        return result

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard the body of a `with` statement."""
        with self._guarding(self.calling):
            yield

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        """Decorator: guard every call of `func`, a plain or coroutine function."""
        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.call_async(func, *args, **kwargs)

            return cast("Callable[P, R]", awaited)

        @functools.wraps(func)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(func, *args, **kwargs)

        return called

    def open(self) -> bool:
        """Force it open; unlike in pybreaker it stays open until `close`."""
        self.force_open("open()")
        return True

    def close(self) -> None:
        """Give it back to itself, closed."""
        self.reset("close()")

    @property
    def current_state(self) -> str:
        """The state by pybreaker's name: "closed", "open" or "half-open"."""
        return pybreaker_name(self.snapshot().state)

    @property
    def fail_counter(self) -> int:
        """Consecutive failures."""
        return self.snapshot().failures

    @property
    def success_counter(self) -> int:
        """Successful probes while half open."""
        return self.snapshot().successes

    @property
    def fail_max(self) -> int:
        """Consecutive failures that open it."""
        return self.policy.failure_threshold

    @property
    def reset_timeout(self) -> float:
        """Seconds that it stays open."""
        return self.policy.recovery_seconds

    @property
    def success_threshold(self) -> int:
        """Successful probes that close it."""
        return self.policy.success_threshold

    @property
    def listeners(self) -> tuple[pybreaker.CircuitBreakerListener, ...]:
        """The registered listeners."""
        return self._listeners

    def add_listener(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Register `listener`."""
        self.add_listeners(listener)

    def add_listeners(self, *listeners: pybreaker.CircuitBreakerListener) -> None:
        """Register all of `listeners`."""
        with self._lock:
            self._listeners += listeners

    def remove_listener(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Unregister `listener`."""
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

    def is_system_error(self, error: BaseException) -> bool:
        """Whether `error` counts as a failure: an Exception that is not excluded."""
        return isinstance(error, Exception) and not any(_excludes(rule, error) for rule in self._exclude)

    @contextmanager
    def _guarding(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[None]:
        permit = self._admit(func, *args, **kwargs)
        started = self._monotonic()
        try:
            yield
        except BaseException as error:
            self._settle_failed(permit, error)
            raise
        self._settle_returned(permit, self._monotonic() - started)

    def _admit(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Permit:
        permit = self.permit(1)
        if not permit.granted:
            raise CircuitBreakerError(self.name, permit.retry_after_seconds)
        for listener in self._listeners:
            listener.before_call(cast("Any", self), func, *args, **kwargs)
        return permit

    def _settle_returned(self, permit: Permit, seconds: float) -> None:
        self.record(permit, [True], [seconds])
        for listener in self._listeners:
            listener.success(cast("Any", self))

    def _settle_failed(self, permit: Permit, error: BaseException) -> None:
        if isinstance(error, Exception):
            self.note_error(error)
        if not self.is_system_error(error):
            self.record(permit, [None])
            return
        self.record(permit, [False])
        for listener in self._listeners:
            listener.failure(cast("Any", self), error)

    def _tell(self, old: BreakerState, new: BreakerState) -> None:
        for listener in self._listeners:
            listener.state_change(cast("Any", self), cast("Any", old), cast("Any", new))


def _excludes(rule: Exclusion, error: Exception) -> bool:
    return isinstance(error, rule) if isinstance(rule, type) else rule(error)
