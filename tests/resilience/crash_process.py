"""A worker with the crash budget that says "started" when it begins with a message, and never ends it."""

from __future__ import annotations

import signal
import sys
import threading

import dramatiq
import redis

from tests.support.broker import open_broker


def main(url: str, prefix: str) -> None:
    broker = open_broker(redis.Redis.from_url(url), prefix)

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.poison")
    def poison() -> None:
        sys.stdout.write("started\n")
        sys.stdout.flush()
        threading.Event().wait()

    dramatiq.Worker(broker, worker_threads=1, worker_timeout=20).start()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
