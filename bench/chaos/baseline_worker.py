"""A bare Dramatiq worker with every default: `python -m bench.chaos.baseline_worker URL NAMESPACE`.

Its one actor records its start in the list `started:NAMESPACE`, and then never ends.
"""

from __future__ import annotations

import sys
import threading

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

QUEUE = "default"


def open_broker(url: str, namespace: str) -> RedisBroker:
    """A broker with Dramatiq's defaults, and its actor `work`."""
    client: redis.Redis = redis.Redis.from_url(url)
    broker = RedisBroker(client=client, namespace=namespace)  # type: ignore[no-untyped-call]

    def work() -> None:
        client.rpush(f"started:{namespace}", 1)
        threading.Event().wait()

    dramatiq.actor(broker=broker, queue_name=QUEUE)(work)
    return broker


def main() -> None:
    broker = open_broker(*sys.argv[1:3])
    dramatiq.Worker(broker).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
