"""A Dramatiq worker of its own, without maintenance; says "started" when it begins with a message."""

from __future__ import annotations

import signal
import sys
import threading

import dramatiq
from dramatiq.brokers.redis import RedisBroker


def main(url: str, namespace: str, manner: str) -> None:
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        url=url, namespace=namespace, maintenance_chance=0, middleware=[]
    )

    @dramatiq.actor(broker=broker, queue_name="check")
    def work() -> None:
        sys.stdout.write("started\n")
        sys.stdout.flush()
        if manner == "hang":
            threading.Event().wait()

    dramatiq.Worker(broker, worker_threads=1).start()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
