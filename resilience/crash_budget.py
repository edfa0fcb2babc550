"""Crash budget: a message that repeatedly kills its worker moves to the dead letters.

Dramatiq requeues the message after a crash without counting a retry, so it would crash workers for ever. The
only trace of a crash is a message that started and never ended; this module counts those starts.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from threading import Lock

import redis
from dramatiq import Broker, MessageProxy, Middleware, Worker
from dramatiq.middleware import SkipMessage

from resilience.scripts import UNREACHABLE, Scripts

CRASH_BUDGET = 3
GIVEN_UP = "rollcall_given_up"
_TTL_SECONDS = 86_400  # far above the minutes from one start to the next (time limit and recovery)
_log = logging.getLogger(__name__)


class CrashBudgetSpentError(SkipMessage):
    """The message is not run: its worker died at every previous start."""


class CrashBudget(Middleware):
    """Lets a message start `budget` times without an end, and then rejects it without running it.

    Every end counts, including failures and interrupts; each enqueueing, and so each retry, has its own
    budget. A message that a stopping worker leaves behind is not a crash. Messages in progress at a crash run
    isolated from each other in their process, so that the next crash has one cause. One round trip before a
    message, one after it; while Redis is unreachable nothing is counted and the message runs. Place it before
    the middleware that interrupts, so that no interrupt hits its own round trips.

    When the budget is spent, the actor's option `give_up` is called with the reason and the message's
    arguments: it must end the work itself, or the work returns under another message. Its return value, or
    its own failure, is recorded in the dead letter.
    Shape: string `{prefix}:starts:{id}`, deleted when the message ends.
    """

    def __init__(self, client: redis.Redis, budget: int = CRASH_BUDGET, prefix: str = "rollcall") -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._budget = budget
        self._prefix = f"{prefix}:starts:"
        self._in_progress: set[str] = set()
        self._isolation = Lock()
        self._isolated: str | None = None

    @property
    def actor_options(self) -> set[str]:
        """The actor options of this middleware."""
        return {"give_up"}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Count the start. Raises: CrashBudgetSpentError, for which Dramatiq rejects the failed message."""
        key = self._key(message)
        starts = self._start(key)
        if starts > 1:
            starts = self._isolate(key, starts)
        if starts > self._budget:
            message.fail()
            reason = f"crashed its worker {self._budget} times"
            message.options[GIVEN_UP] = _give_up(broker, message, reason)
            raise CrashBudgetSpentError(reason)

    def after_process_message(
        self,
        _broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Delete the start count: the message ended."""
        self._end(self._key(message))

    def after_skip_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Delete the start count: the message ended without running."""
        self._end(self._key(message))

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Delete the start counts of messages in progress: this process stops deliberately."""
        self._forget(*self._in_progress)

    def _start(self, key: str) -> int:
        try:
            starts = int(self._scripts.crash_budget_start([key], [_TTL_SECONDS * 1000]))
        except UNREACHABLE:
            return 0
        self._in_progress.add(key)
        return starts

    def _isolate(self, key: str, starts: int) -> int:
        """Wait until no other suspect runs in this process; return the number of starts."""
        if not self._isolation.acquire(blocking=False):
            with suppress(*UNREACHABLE):
                self._client.decr(key)  # a crash during the wait has another cause
            self._isolation.acquire()
            starts = self._start(key)
        self._isolated = key
        return starts

    def _end(self, key: str) -> None:
        self._forget(key)
        if self._isolated == key:
            self._isolated = None
            self._isolation.release()

    def _forget(self, *keys: str) -> None:
        counted = self._in_progress.intersection(keys)
        self._in_progress.difference_update(counted)
        if counted:
            with suppress(*UNREACHABLE):
                self._client.delete(*counted)

    def _key(self, message: MessageProxy) -> str:
        # Redis assigns an id per enqueueing; with RabbitMQ a redelivered message keeps its own.
        return self._prefix + str(message.options.get("redis_message_id", message.message_id))


def _give_up(broker: Broker, message: MessageProxy, reason: str) -> str:
    """Call the actor's `give_up`; return its description of the abandoned work."""
    actor = broker.actors.get(message.actor_name)
    give_up = None if actor is None else actor.options.get("give_up")
    if give_up is None:
        return "the message alone"
    try:
        return str(give_up(reason, *message.args, **message.kwargs))
    except Exception as error:  # noqa: BLE001 - logged, and recorded in the dead letter
        _log.exception("cannot give up", extra={"actor": message.actor_name})
        return f"not the work: {error!r}"
