"""A crash budget: a message that keeps killing its worker is put with the dead letters.

A crash is no failed attempt: Dramatiq gives the message back as it was, and for ever. Nothing is left of
the crash but that the message started and never ended, so that is what is counted.
"""

from __future__ import annotations

from contextlib import suppress

import redis
from dramatiq import Broker, MessageProxy, Middleware, Worker
from dramatiq.middleware import SkipMessage

from resilience.scripts import UNREACHABLE, Scripts

CRASH_BUDGET = 3
_TTL_SECONDS = 86_400  # far above the time from one start to the next: time limit and recovery, minutes


class CrashBudgetSpentError(SkipMessage):
    """The message was not run: each time before, its worker died with it."""


class Quarantine(Middleware):
    """Lets a message start `budget` times without ever having ended, and then rejects it unrun.

    Every end counts, a failure and an interrupt as well; each enqueueing, and so each retry, has a budget
    of its own. What a stopping worker could not wait for is no crash. One round trip before a message, one
    after it; while Redis cannot be reached nothing is counted and the message runs. Put it before the
    middleware that interrupts: then no interrupt can hit its own round trips.
    Shape: string `{prefix}:starts:{id}`, which is gone when the message ends.
    """

    def __init__(self, client: redis.Redis, budget: int = CRASH_BUDGET, prefix: str = "rollcall") -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._budget = budget
        self._prefix = f"{prefix}:starts:"
        self._in_hand: set[str] = set()

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Count the start. Raises: CrashBudgetSpentError, for which Dramatiq rejects the failed message."""
        if self._start(self._key(message)) > self._budget:
            message.fail()
            raise CrashBudgetSpentError(f"crashed its worker {self._budget} times")

    def after_process_message(
        self,
        _broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Forget the starts: it ended, somehow."""
        self._forget(self._key(message))

    def after_skip_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Forget the starts: it ended unrun."""
        self._forget(self._key(message))

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Forget the starts of what is still in hand: this process ends by its own will."""
        self._forget(*self._in_hand)

    def _start(self, key: str) -> int:
        try:
            starts = int(self._scripts.quarantine_start([key], [_TTL_SECONDS * 1000]))
        except UNREACHABLE:
            return 0
        self._in_hand.add(key)
        return starts

    def _forget(self, *keys: str) -> None:
        counted = self._in_hand.intersection(keys)
        self._in_hand.difference_update(counted)
        if counted:
            with suppress(*UNREACHABLE):
                self._client.delete(*counted)

    def _key(self, message: MessageProxy) -> str:
        # Redis gives each enqueueing an id; with RabbitMQ a redelivered message is known by its own.
        return self._prefix + str(message.options.get("redis_message_id", message.message_id))
