from __future__ import annotations

from threading import Event

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, SkipMessage

from resilience.heartbeats import Heartbeats, Task, ThreadTask, ThreadTasks
from tests.support.broker import working
from tests.support.stack import wait_until

NOW_MS = 1_750_000_000_000


def idle(*numbers: int) -> tuple[ThreadTask, ...]:
    return tuple(ThreadTask(number) for number in numbers)


def test_a_thread_shows_its_task_and_is_idle_before_and_after(redis_client: redis.Redis, prefix: str) -> None:
    threads, begun, may_end = ThreadTasks(lambda: NOW_MS), Event(), Event()
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=[threads])  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def work() -> None:
        begun.set()
        assert may_end.wait(20)

    with working(broker, threads=2):
        wait_until(lambda: threads.read() == idle(0, 1), "two idle threads")
        sent = work.send()
        assert begun.wait(20)
        (busy,) = [slot for slot in threads.read() if slot.task is not None]
        assert busy.task == Task("sections.check", "check", sent.message_id, NOW_MS)
        assert len(threads.read()) == 2
        may_end.set()
        wait_until(lambda: threads.read() == idle(0, 1), "two idle threads again")
    assert threads.read() == ()


def test_a_skipped_message_leaves_its_thread_idle(redis_client: redis.Redis, prefix: str) -> None:
    threads, skipped = ThreadTasks(), Event()

    class Skip(Middleware):
        def before_process_message(self, broker: object, message: object) -> None:
            raise SkipMessage

        def after_skip_message(self, broker: object, message: object) -> None:
            skipped.set()

    # After-hooks run from the last to the first: `ThreadTasks` is called before `Skip`.
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=[Skip(), threads])  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def work() -> None:
        raise AssertionError("it is skipped")

    with working(broker, threads=1):
        work.send()
        assert skipped.wait(20)
        assert threads.read() == idle(0)


def test_threads_are_part_of_the_heartbeat(redis_client: redis.Redis, prefix: str) -> None:
    heartbeats = Heartbeats(redis_client, 15, prefix)
    threads = (ThreadTask(0), ThreadTask(1, Task("mail.deliver", "deliver", "id", NOW_MS)))
    heartbeats.beat("worker", "a", {"pid": "7"}, threads)
    (beat,) = heartbeats.alive("worker")
    assert (beat.facts, beat.threads) == ({"pid": "7"}, threads)
