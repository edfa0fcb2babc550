"""Metrics of messages and breaker transitions, recorded in memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from time import monotonic, time_ns
from typing import Any

import pybreaker
from dramatiq import Broker, Message, MessageProxy, Middleware

from observability.recorders import (
    DURATION,
    ERRORS,
    MESSAGES,
    REJECTED,
    RETRIES,
    TRANSITIONS,
    UNKNOWN_ACTOR,
    WAIT,
    Recorder,
)

_DUE = "rollcall_due_ms"


class MessageMetrics(Middleware):
    """Records messages in `recorder`. Put it after middleware that skips messages: those never started."""

    def __init__(
        self,
        recorder: Recorder,
        now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
        monotonic_seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._recorder = recorder
        self._now_ms = now_ms
        self._monotonic_seconds = monotonic_seconds
        self._thread = local()

    def before_enqueue(self, _broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Store in the message when it is due: Dramatiq stores only when it was created."""
        message.options[_DUE] = self._now_ms() + (delay or 0)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Count a retry, once: after its delay Dramatiq enqueues it again without one."""
        if delay is not None and message.options.get("retries"):
            self._recorder.add(RETRIES, _actor(broker, message.actor_name))

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Start the timer."""
        self._thread.started_seconds = self._monotonic_seconds()
        due_ms = message.options.get(_DUE, message.message_timestamp)
        self._recorder.observe(WAIT, message.queue_name, seconds=(self._now_ms() - due_ms) / 1000)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,
    ) -> None:
        """Count the attempt, its duration, and whether it failed."""
        actor = _actor(broker, message.actor_name)
        seconds = self._monotonic_seconds() - self._thread.started_seconds
        self._recorder.add(MESSAGES, actor)
        self._recorder.observe(DURATION, actor, seconds=seconds)
        if exception is not None:
            self._recorder.add(ERRORS, actor)

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Count a new dead letter."""
        self._recorder.add(REJECTED, _actor(broker, message.actor_name))


class BreakerTransitions(pybreaker.CircuitBreakerListener):
    """Counts breaker transitions in the process that causes them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        """Count the transition, unless only the scope changed: fleet-wide or local."""
        if old_state.name != new_state.name:
            self._recorder.add(TRANSITIONS, cb.name, new_state.name.replace("-", "_"))


def _actor(broker: Broker, name: str) -> str:
    return name if name in broker.actors else UNKNOWN_ACTOR
