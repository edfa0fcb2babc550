from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.middleware.shutdown import Shutdown

from resilience.crash_budget import CrashBudget
from resilience.dead_letters import ALL, DeadLetterQueue
from resilience.reaper import Reaper
from tests.support.broker import (
    counts,
    is_idle,
    message,
    open_broker,
    open_dead_letters,
    process_all,
    waiting,
    working,
)
from tests.support.stack import wait_until

CRASHED = "crashed its worker 3 times"
SECONDS = 20.0


@pytest.fixture
def letters(redis_client: redis.Redis, prefix: str) -> DeadLetterQueue:
    return open_dead_letters(redis_client, prefix)


@contextmanager
def victim(url: str, prefix: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.resilience.crash_process", url, prefix]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def starts(client: redis.Redis, prefix: str) -> list[int]:
    return [int(client.get(key) or 0) for key in client.scan_iter(f"{prefix}:starts:*")]


def test_a_message_that_killed_its_worker_three_times_becomes_a_dead_letter(
    letters: DeadLetterQueue, redis_url: str, redis_client: redis.Redis, prefix: str
) -> None:
    sent = open_broker(redis_client, prefix).enqueue(message("work.poison"))
    reaper = Reaper(redis_client, ["check"], 50, namespace=prefix)  # no live worker is there to be robbed

    def is_back() -> bool:
        reaper.sweep()
        return len(waiting(redis_client, prefix)) == 1

    for crash in range(1, 4):
        with victim(redis_url, prefix) as process:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            process.kill()
            process.wait()
        assert starts(redis_client, prefix) == [crash]
        wait_until(is_back, "the message back in its queue", SECONDS)

    with victim(redis_url, prefix) as process:
        wait_until(lambda: letters.count() == 1, "a dead letter", SECONDS)
        process.kill()
        assert process.stdout
        assert process.stdout.read() == ""
    (letter,) = letters.find()
    assert (letter.message_id, letter.cause, letter.failures) == (sent.message_id, CRASHED, 0)
    assert is_idle(redis_client, prefix)
    assert starts(redis_client, prefix) == []


def test_a_manual_retry_has_its_own_budget(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    ran: list[int] = []
    broker = open_broker(redis_client, prefix)
    dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")(ran.append)
    sent = broker.enqueue(message("work.do", 1))
    redis_client.set(f"{prefix}:starts:{sent.options['redis_message_id']}", 3)
    process_all(broker, redis_client, prefix)
    assert (ran, counts(letters)) == ([], {CRASHED: 1})

    assert sum(letters.retry(ALL)) == 1
    process_all(broker, redis_client, prefix)
    assert (ran, letters.count()) == ([1], 0)


@pytest.mark.parametrize(
    ("outcome", "description"),
    [("3 sections", "3 sections"), (ValueError("no"), "not the work: ValueError('no')")],
)
def test_the_work_is_given_up_with_its_message_and_the_dead_letter_describes_it(
    letters: DeadLetterQueue,
    redis_client: redis.Redis,
    prefix: str,
    outcome: str | ValueError,
    description: str,
) -> None:
    ran: list[int] = []
    given_up: list[tuple[str, int]] = []

    def give_up(reason: str, number: int) -> str:
        given_up.append((reason, number))
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    broker = open_broker(redis_client, prefix)
    dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do", give_up=give_up)(ran.append)
    sent = broker.enqueue(message("work.do", 7))
    redis_client.set(f"{prefix}:starts:{sent.options['redis_message_id']}", 3)
    process_all(broker, redis_client, prefix)
    assert (ran, given_up) == ([], [(CRASHED, 7)])
    (letter,) = letters.find()
    assert (letter.cause, letter.given_up) == (CRASHED, description)


def test_messages_in_progress_at_a_crash_run_isolated_so_that_the_next_crash_has_one_cause(
    redis_client: redis.Redis, prefix: str
) -> None:
    meeting, seen = threading.Barrier(2), []

    def meet(_: int) -> None:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.3)
            seen.append([-1])
        seen.append(sorted(starts(redis_client, prefix)))

    broker = open_broker(redis_client, prefix)
    dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")(meet)
    for number in range(2):
        sent = broker.enqueue(message("work.do", number))
        redis_client.set(f"{prefix}:starts:{sent.options['redis_message_id']}", 1)
    process_all(broker, redis_client, prefix)
    assert seen == [[1, 2], [2]]
    assert starts(redis_client, prefix) == []


def test_failed_attempts_do_not_spend_the_budget(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    broker = open_broker(redis_client, prefix, retries=5, quarantine=CrashBudget(redis_client, 1, prefix))
    ran: list[int] = []

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")
    def do() -> None:
        ran.append(1)
        if len(ran) < 5:
            raise ValueError("not yet")

    do.send()
    process_all(broker, redis_client, prefix)
    assert (len(ran), letters.count(), starts(redis_client, prefix)) == (5, 0, [])


def test_an_interrupt_at_shutdown_counts_as_an_end(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    broker = open_broker(redis_client, prefix, quarantine=CrashBudget(redis_client, 1, prefix))
    begun, interrupted = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do", notify_shutdown=True)
    def do() -> None:
        begun.set()
        try:
            while True:
                threading.Event().wait(0.01)
        except Shutdown:
            interrupted.set()
            raise

    do.send()
    with working(broker):
        assert begun.wait(SECONDS)
        assert starts(redis_client, prefix) == [1]
    assert interrupted.is_set()
    assert starts(redis_client, prefix) == []
    assert (is_idle(redis_client, prefix), letters.count()) == (False, 0)


def test_a_message_that_a_stopping_worker_abandons_is_not_a_crash(
    redis_client: redis.Redis, prefix: str
) -> None:
    broker = open_broker(redis_client, prefix)
    begun, may_end = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")
    def do() -> None:
        begun.set()
        may_end.wait(SECONDS)

    do.send()
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    assert begun.wait(SECONDS)
    assert starts(redis_client, prefix) == [1]
    worker.stop(timeout=50)
    assert starts(redis_client, prefix) == []
    may_end.set()
    wait_until(lambda: is_idle(redis_client, prefix), "the end", SECONDS)


def test_without_redis_the_message_runs(
    unreachable: redis.Redis, redis_client: redis.Redis, prefix: str
) -> None:
    ran: list[int] = []
    broker = open_broker(redis_client, prefix, quarantine=CrashBudget(unreachable, 0, prefix))
    dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")(ran.append)
    broker.enqueue(message("work.do", 1))
    process_all(broker, redis_client, prefix)
    assert ran == [1]


def test_it_costs_one_round_trip_before_and_one_after(redis_url: str, prefix: str) -> None:
    asked: list[str] = []

    class Counting(redis.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            asked.append(args[0])
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    with Counting.from_url(redis_url) as client:
        quarantine, broker = CrashBudget(client, prefix=prefix), open_broker(client, prefix)
        for _ in range(2):
            asked.clear()
            one = dramatiq.MessageProxy(message())
            quarantine.before_process_message(broker, one)
            (key,) = client.keys(f"{prefix}:starts:*")
            assert 86_000 < int(client.ttl(key)) <= 86_400
            quarantine.after_process_message(broker, one)
        assert asked == ["EVALSHA", "KEYS", "TTL", "DEL"]
