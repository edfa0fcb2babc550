"""A real Redis broker with the dead-letter middleware, a real worker, and helpers for dead letters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Broker, Message, Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Retries, ShutdownNotifications, TimeLimit

from actors import QUEUES
from domain.errors import is_retryable
from resilience.crash_budget import CrashBudget
from resilience.dead_letter_cause import DeadLetterCause
from resilience.dead_letters import DeadLetterQueue
from tests.support.stack import wait_until

RETRIES = 2
PACKAGES = ("actors", "domain", "mail", "resilience", "sources", "store", "tests")


def open_broker(
    client: redis.Redis, prefix: str, *, retries: int = RETRIES, quarantine: CrashBudget | None = None
) -> Broker:
    """A broker whose every key begins with `prefix`; it retries immediately."""
    middleware = [
        AgeLimit(),
        quarantine or CrashBudget(client, prefix=prefix),
        TimeLimit(),
        ShutdownNotifications(),
        Retries(
            min_backoff=1,
            max_backoff=2,
            retry_when=lambda attempts, error: attempts < retries and is_retryable(error),
        ),
        DeadLetterCause(client, PACKAGES, namespace=prefix),
    ]
    return RedisBroker(client=client, namespace=prefix, middleware=middleware, maintenance_chance=0)  # type: ignore[no-untyped-call]


@contextmanager
def working(broker: Broker, threads: int = 2) -> Iterator[Worker]:
    """A worker on every queue of `broker`, stopped at the end."""
    worker = Worker(broker, worker_threads=threads, worker_timeout=20)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(timeout=5_000)


def message(actor: str = "work.do", *args: object, queue: str = "check", **options: object) -> Message[Any]:
    return Message(queue_name=queue, actor_name=actor, args=args, kwargs={}, options=dict(options))


def add_dead_letter(client: redis.Redis, prefix: str, dead: Message[Any], died_ms: int | None = None) -> str:
    """Add `dead` as Dramatiq's dispatch.lua adds a rejected message; its id in Redis."""
    key = str(uuid4())
    body = dead.copy(options={"redis_message_id": key}).encode()
    name = f"{prefix}:{dead.queue_name}.XQ"
    client.zadd(name, {key: time.time_ns() // 1_000_000 if died_ms is None else died_ms})
    client.hset(f"{name}.msgs", key, body)
    return key


def waiting(client: redis.Redis, prefix: str, queue: str = "check") -> list[Message[Any]]:
    """The messages in `queue`, in order."""
    ids = client.lrange(f"{prefix}:{queue}", 0, -1)
    return [Message.decode(client.hget(f"{prefix}:{queue}.msgs", key)) for key in ids]  # type: ignore[arg-type]


def process_all(broker: Broker, client: redis.Redis, prefix: str) -> None:
    """Process every enqueued message, and the retries, with a worker."""
    with working(broker):
        wait_until(lambda: is_idle(client, prefix), "empty queues", seconds=20)


def is_idle(client: redis.Redis, prefix: str) -> bool:
    """Whether no message is queued or delayed, in one transaction: messages move between queues."""
    with client.pipeline(transaction=True) as pipe:
        for queue in QUEUES:
            pipe.hlen(f"{prefix}:{queue}.msgs")
            pipe.hlen(f"{prefix}:{queue}.DQ.msgs")
        return not any(pipe.execute())


def open_dead_letters(client: redis.Redis, prefix: str, **options: Any) -> DeadLetterQueue:
    return DeadLetterQueue(client, QUEUES, namespace=prefix, **options)


def counts(letters: DeadLetterQueue) -> Mapping[str, int]:
    """The number of dead letters by cause."""
    causes = [letter.cause for letter in letters.find()]
    return {cause: causes.count(cause) for cause in causes}
