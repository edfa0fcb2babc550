"""Requeues the messages of dead Dramatiq workers.

Dramatiq's Redis broker does this at random, one queue at a time, which took 2 to 25 minutes by default.
Workers therefore run with `maintenance_chance=0`, and one reaper sweeps every 2 s.
"""

from __future__ import annotations

from collections.abc import Iterable

import redis
from dramatiq.brokers.redis import MAINTENANCE_SCALE
from dramatiq.common import dq_name

from resilience.broker import FleetBroker
from resilience.scripts import translate_errors


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
