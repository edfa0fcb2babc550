"""What lies in the Redis broker's queues: how much, since when, and how much is dead."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import redis
from dramatiq.common import dq_name, xq_name

from resilience.scripts import reaching


@dataclass(frozen=True, slots=True)
class QueueReading:
    """One queue: unfinished messages, the age of the oldest that waits, dead letters.

    Shape: `oldest_age_seconds` is None when none waits, and when the broker does not tell since when one
    does: then `is_age_known` is false.
    """

    depth: int
    oldest_age_seconds: float | None
    dead: int
    is_age_known: bool = True


class QueueReader:
    """Reads `queues` of Dramatiq's Redis broker; changes nothing. Raises: UnreachableError.

    Source: the key schema atop dramatiq/brokers/redis/dispatch.lua.
    """

    def __init__(self, client: redis.Redis, queues: Iterable[str], *, namespace: str = "dramatiq") -> None:
        self._client = client
        self._queues = tuple(queues)
        self._namespace = namespace

    def read(self) -> dict[str, QueueReading]:
        """Every queue's reading, by its name."""
        with reaching():
            seconds, microseconds = self._client.time()
            now_ms = seconds * 1000 + microseconds / 1000
            return {queue: self._read(queue, now_ms) for queue in self._queues}

    def _read(self, queue: str, now_ms: float) -> QueueReading:
        name = f"{self._namespace}:{queue}"
        with self._client.pipeline() as pipeline:
            pipeline.hlen(f"{name}.msgs")
            pipeline.hlen(f"{self._namespace}:{dq_name(queue)}.msgs")
            pipeline.zcard(f"{self._namespace}:{xq_name(queue)}")
            pipeline.lindex(name, 0)
            ready, delayed, dead, oldest_id = pipeline.execute()
        oldest = None if oldest_id is None else self._client.hget(f"{name}.msgs", oldest_id)
        age = None if oldest is None else max(0.0, now_ms - json.loads(oldest)["message_timestamp"]) / 1000
        return QueueReading(ready + delayed, age, dead)
