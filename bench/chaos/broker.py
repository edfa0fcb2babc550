"""The unacknowledged messages of each worker, read from the keys of Dramatiq's Redis broker."""

from __future__ import annotations

from typing import NamedTuple

import redis

_PREFIX = "dramatiq:__acks__."


class Message(NamedTuple):
    """A message that has not ended: its queue, and its id in Redis."""

    queue: str
    id: str


class BrokerView:
    """Reads the keys of the broker at `url`. Raises: redis.RedisError from every method.

    Source: dramatiq/brokers/redis/dispatch.lua: set `__acks__.{worker}.{queue}`, hash `{queue}.msgs`.
    """

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = redis.Redis.from_url(url, decode_responses=True, socket_timeout=5)

    def unacknowledged(self) -> dict[str, set[Message]]:
        """The messages that each worker, dead or alive, has fetched and not acknowledged."""
        found: dict[str, set[Message]] = {}
        for key in self._client.scan_iter(f"{_PREFIX}*", count=1000):
            worker, _, queue = key.removeprefix(_PREFIX).partition(".")
            members = self._client.smembers(key)
            found.setdefault(worker, set()).update(Message(queue, str(each)) for each in members)
        return found

    def unfinished(self, messages: set[Message]) -> set[Message]:
        """Those of `messages` that have not ended."""
        asked = sorted(messages)
        with self._client.pipeline(transaction=False) as pipeline:
            for message in asked:
                pipeline.hexists(f"dramatiq:{message.queue}.msgs", message.id)
            return {message for message, exists in zip(asked, pipeline.execute(), strict=True) if exists}
