"""Dramatiq's Redis broker on the server's clock, and the reaper that requeues the messages of dead workers.

Dramatiq's broker requeues them at random, one queue at a time, which took 2 to 25 minutes by default.
Workers therefore run with `maintenance_chance=0`, and one reaper sweeps every 2 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis
from dramatiq.brokers import redis as dramatiq_redis
from dramatiq.brokers.redis import MAINTENANCE_SCALE, RedisBroker
from dramatiq.common import dq_name

from resilience.scripts import translate_errors

# ARGV 2 of dramatiq/brokers/redis/dispatch.lua is the caller's time: for worker heartbeats, the detection of
# dead workers and the age of dead letters. A heartbeat in the future (clock set back) counts as now.
_SERVER_TIME = b"""
local server_time = redis.call('TIME')
ARGV[2] = string.format('%.0f', server_time[1] * 1000 + math.floor(server_time[2] / 1000))
if ARGV[7] == '1' then
  local beats = KEYS[1] .. ':__heartbeats__'
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', beats, '(' .. ARGV[2], '+inf')) do
    redis.call('ZADD', beats, ARGV[2], worker)
  end
end
"""


class FleetBroker(RedisBroker):
    """A `RedisBroker` that does not depend on the hosts' clocks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        source: bytes = dramatiq_redis._scripts["dispatch"]  # noqa: SLF001 - there is no public access
        self.scripts["dispatch"] = self.client.register_script(_SERVER_TIME + source)


class Reaper:
    """Sweeps `queues`; a worker without a heartbeat for `heartbeat_timeout_ms` counts as dead.

    Workers send a heartbeat about once a second, by Redis's clock. Raises: UnreachableError from both
    methods. Source: dramatiq/brokers/redis/dispatch.lua, whose maintenance covers the command's queue only.
    """

    def __init__(
        self,
        client: redis.Redis,
        queues: Iterable[str],
        heartbeat_timeout_ms: int = 12_000,
        *,
        namespace: str = "dramatiq",
    ) -> None:
        self._client = client
        self._queues = tuple(queues)
        self._namespace = namespace
        self._broker = FleetBroker(
            client=client,
            middleware=[],
            namespace=namespace,
            maintenance_chance=MAINTENANCE_SCALE,
            heartbeat_timeout=heartbeat_timeout_ms,
        )

    def sweep(self) -> dict[str, int]:
        """Requeue the messages of dead workers; return the same as `depths`."""
        with translate_errors():
            return {queue: self._sweep(queue) for queue in self._queues}

    def depths(self) -> dict[str, int]:
        """The unfinished messages of each queue: waiting, delayed and in progress. Requeues nothing."""
        names = [
            f"{self._namespace}:{name}.msgs" for queue in self._queues for name in (queue, dq_name(queue))
        ]
        with translate_errors(), self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hlen(name)
            counts = pipeline.execute()
        return {queue: counts[2 * i] + counts[2 * i + 1] for i, queue in enumerate(self._queues)}

    def _sweep(self, queue: str) -> int:
        # Any command with maintenance works; this one also covers both queues.
        self._broker.do_qsize(dq_name(queue))
        return int(self._broker.do_qsize(queue))
