"""Dramatiq's Redis broker, on the Redis server's clock."""

from __future__ import annotations

from typing import Any

from dramatiq.brokers import redis as dramatiq_redis
from dramatiq.brokers.redis import RedisBroker

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
