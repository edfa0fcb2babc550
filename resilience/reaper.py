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
    """Sweeps `queues`; a worker that was silent for `heartbeat_timeout_ms` counts as dead.

    Workers beat about once a second, by Redis' clock. Raises: UnreachableError from both methods.
    Source: dramatiq/brokers/redis/dispatch.lua, whose maintenance runs for the command's queue alone.
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
        """Give back what dead workers held; the unfinished messages of each queue, as `depths`."""
        with translate_errors():
            return {queue: self._sweep(queue) for queue in self._queues}

    def depths(self) -> dict[str, int]:
        """The unfinished messages of each queue: waiting, delayed and in work. Gives nothing back."""
        names = [
            f"{self._namespace}:{name}.msgs" for queue in self._queues for name in (queue, dq_name(queue))
        ]
        with translate_errors(), self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hlen(name)
            counts = pipeline.execute()
        return {queue: counts[2 * i] + counts[2 * i + 1] for i, queue in enumerate(self._queues)}

    def _sweep(self, queue: str) -> int:
        # Any command with maintenance would do; this one also answers for both queues together.
        self._broker.do_qsize(dq_name(queue))
        return int(self._broker.do_qsize(queue))
