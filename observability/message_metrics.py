"""Counts what becomes of messages and breakers, in memory."""

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
    """Counts messages into `tally`. Put it after what skips messages: those were never begun."""

    def __init__(
        self,
        tally: Recorder,
        now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
        monotonic_seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._tally = tally
        self._now_ms = now_ms
        self._monotonic_seconds = monotonic_seconds
        self._thread = local()

    def before_enqueue(self, _broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Note in the message when it is due: Dramatiq keeps the time of its making alone."""
        message.options[_DUE] = self._now_ms() + (delay or 0)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Count a retry: once, for without a delay it is enqueued again when that is over."""
        if delay is not None and message.options.get("retries"):
            self._tally.add(RETRIES, _actor(broker, message.actor_name))

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Start the clock."""
        self._thread.started_seconds = self._monotonic_seconds()
        due_ms = message.options.get(_DUE, message.message_timestamp)
        self._tally.observe(WAIT, message.queue_name, seconds=(self._now_ms() - due_ms) / 1000)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,
    ) -> None:
        """Count the attempt, how long it took, and whether it failed."""
        actor = _actor(broker, message.actor_name)
        seconds = self._monotonic_seconds() - self._thread.started_seconds
        self._tally.add(MESSAGES, actor)
        self._tally.observe(DURATION, actor, seconds=seconds)
        if exception is not None:
            self._tally.add(ERRORS, actor)

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Count a message that lies with the dead letters now."""
        self._tally.add(REJECTED, _actor(broker, message.actor_name))


class BreakerTransitions(pybreaker.CircuitBreakerListener):
    """Counts each change of a breaker's state, in the process that caused it."""

    def __init__(self, tally: Recorder) -> None:
        self._tally = tally

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        """Count it, unless only those who decide have changed: the fleet, or this process alone."""
        if old_state.name != new_state.name:
            self._tally.add(TRANSITIONS, cb.name, new_state.name.replace("-", "_"))


def _actor(broker: Broker, name: str) -> str:
    return name if name in broker.actors else UNKNOWN_ACTOR
