from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from domain.errors import UnreachableError
from resilience.reaper import Reaper
from tests.support.stack import wait_until


@contextmanager
def worker(url: str, namespace: str, manner: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.resilience.worker_process", url, namespace, manner]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def enqueue(client: redis.Redis, namespace: str, *, delay_ms: int | None = None) -> None:
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        client=client, namespace=namespace, maintenance_chance=0, middleware=[]
    )
    message: dramatiq.Message[None] = dramatiq.Message("check", "work", (), {}, {})
    broker.enqueue(message, delay=delay_ms)


def test_the_messages_of_a_killed_worker_are_requeued(
    redis_url: str, redis_client: redis.Redis, prefix: str
) -> None:
    def waiting(queue: str) -> int:
        return int(redis_client.llen(f"{prefix}:{queue}"))

    enqueue(redis_client, prefix)
    enqueue(redis_client, prefix, delay_ms=3_600_000)
    patient = Reaper(redis_client, ["check", "mail"], namespace=prefix)
    reaper = Reaper(redis_client, ["check", "mail"], 1_000, namespace=prefix)

    with worker(redis_url, prefix, "hang") as killed:
        assert killed.stdout
        assert killed.stdout.readline() == "started\n"
        wait_until(lambda: waiting("check.DQ") == 0, "the worker holds both")
        assert patient.sweep() == patient.depths() == {"check": 2, "mail": 0}
        killed.kill()
        killed.wait()
    assert (waiting("check"), waiting("check.DQ")) == (0, 0)

    wait_until(
        lambda: reaper.sweep() == {"check": 2, "mail": 0} and waiting("check") == waiting("check.DQ") == 1,
        "both come back",
    )

    with worker(redis_url, prefix, "finish") as heir:
        assert heir.stdout
        assert heir.stdout.readline() == "started\n"
        wait_until(lambda: reaper.depths() == {"check": 1, "mail": 0}, "one is done")


def test_the_messages_of_a_live_worker_stay_with_it(
    redis_url: str, redis_client: redis.Redis, prefix: str
) -> None:
    enqueue(redis_client, prefix)
    reaper = Reaper(redis_client, ["check"], 4_000, namespace=prefix)
    with worker(redis_url, prefix, "hang") as busy:
        assert busy.stdout
        assert busy.stdout.readline() == "started\n"
        began = time.monotonic()
        wait_until(lambda: reaper.sweep() == {"check": 1} and time.monotonic() > began + 5, "some sweeps")
        assert redis_client.llen(f"{prefix}:check") == 0


def test_an_unreachable_redis_is_not_an_empty_queue(unreachable: redis.Redis) -> None:
    reaper = Reaper(unreachable, ["check"])
    with pytest.raises(UnreachableError):
        reaper.sweep()
    with pytest.raises(UnreachableError):
        reaper.depths()


def test_messages_are_requeued_even_if_their_worker_sent_heartbeats_before_the_clock_was_set_back(
    redis_client: redis.Redis, prefix: str
) -> None:
    enqueue(redis_client, prefix)
    message_id = redis_client.lpop(f"{prefix}:check")
    assert isinstance(message_id, bytes)
    redis_client.sadd(f"{prefix}:__acks__.ghost.check", message_id)
    tomorrow_ms = (time.time() + 86_400) * 1000
    redis_client.zadd(f"{prefix}:__heartbeats__", {"ghost": tomorrow_ms})
    reaper = Reaper(redis_client, ["check"], 100, namespace=prefix)
    wait_until(lambda: bool(reaper.sweep()) and redis_client.llen(f"{prefix}:check") == 1, "the message")
