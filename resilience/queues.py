"""Depth, age and dead letters of the Redis broker's queues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import redis
from dramatiq.common import dq_name, xq_name

from resilience.scripts import translate_errors


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue: unfinished messages, the age of the oldest waiting one, dead letters.

    Shape: `oldest_age_seconds` is None if none waits, or if its age is unknown; then `is_age_known` is false.
    """

    depth: int
    oldest_age_seconds: float | None
    dead: int
    is_age_known: bool = True


class QueueReader:
    """Reads `queues` of Dramatiq's Redis broker; changes nothing. Raises: UnreachableError.

    Source: the key schema at the top of dramatiq/brokers/redis/dispatch.lua.
    """

    def __init__(self, client: redis.Redis, queues: Iterable[str], *, namespace: str = "dramatiq") -> None:
        self._client = client
        self._queues = tuple(queues)
        self._namespace = namespace

    def read(self) -> dict[str, QueueStats]:
        """The statistics by queue name; one round trip, and a second one if messages wait."""
        with translate_errors():
            now_ms, counts = self._counts()
            oldest = self._oldest({queue: first for queue, (*_, first) in counts.items() if first})
        return {
            queue: QueueStats(ready + delayed, _age_seconds(oldest.get(queue), now_ms), dead)
            for queue, (ready, delayed, dead, _) in counts.items()
        }

    def _counts(self) -> tuple[float, dict[str, tuple[int, int, int, bytes | None]]]:
        """The server's time, and per queue the ready, delayed and dead counts and the first id."""
        with self._client.pipeline() as pipeline:
            pipeline.time()
            for queue in self._queues:
                pipeline.hlen(f"{self._key(queue)}.msgs")
                pipeline.hlen(f"{self._key(dq_name(queue))}.msgs")
                pipeline.zcard(self._key(xq_name(queue)))
                pipeline.lindex(self._key(queue), 0)
            (seconds, microseconds), *found = pipeline.execute()
        each = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return seconds * 1000 + microseconds / 1000, dict(zip(self._queues, each, strict=True))

    def _oldest(self, ids: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """The first waiting message of each queue; None if it was taken meanwhile."""
        with self._client.pipeline() as pipeline:
            for queue, message_id in ids.items():
                pipeline.hget(f"{self._key(queue)}.msgs", message_id)
            return dict(zip(ids, pipeline.execute(), strict=True))

    def _key(self, name: str) -> str:
        return f"{self._namespace}:{name}"


def _age_seconds(message: bytes | None, now_ms: float) -> float | None:
    if message is None:
        return None
    waited_ms: float = now_ms - json.loads(message)["message_timestamp"]
    return max(0.0, waited_ms) / 1000
