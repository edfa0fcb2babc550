from __future__ import annotations

from threading import Event

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, SkipMessage

from resilience.heartbeats import Heartbeats, Task, ThreadTask, ThreadTasks
from tests.support.stack import wait_until
from tests.support.workbench import working

NOW_MS = 1_750_000_000_000


def idle(*numbers: int) -> tuple[ThreadTask, ...]:
    return tuple(ThreadTask(number) for number in numbers)


def test_a_thread_shows_what_it_has_in_hand_and_is_idle_before_and_after(
    redis_client: redis.Redis, prefix: str
) -> None:
    slots, begun, may_end = ThreadTasks(lambda: NOW_MS), Event(), Event()
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=[slots])  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def work() -> None:
        begun.set()
        assert may_end.wait(20)

    with working(broker, threads=2):
        wait_until(lambda: slots.read() == idle(0, 1), "two idle threads")
        sent = work.send()
        assert begun.wait(20)
        (busy,) = [slot for slot in slots.read() if slot.task is not None]
        assert busy.task == Task("sections.check", "check", sent.message_id, NOW_MS)
        assert len(slots.read()) == 2
        may_end.set()
        wait_until(lambda: slots.read() == idle(0, 1), "two idle threads again")
    assert slots.read() == ()


def test_a_message_that_is_skipped_occupies_nobody(redis_client: redis.Redis, prefix: str) -> None:
    slots, skipped = ThreadTasks(), Event()

    class Skip(Middleware):
        def before_process_message(self, broker: object, message: object) -> None:
            raise SkipMessage

        def after_skip_message(self, broker: object, message: object) -> None:
            skipped.set()

    # After-hooks run from the last to the first: when `Skip` hears of it, the slots have.
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=[Skip(), slots])  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def work() -> None:
        raise AssertionError("it is skipped")

    with working(broker, threads=1):
        work.send()
        assert skipped.wait(20)
        assert slots.read() == idle(0)


def test_slots_travel_with_the_heartbeat(redis_client: redis.Redis, prefix: str) -> None:
    heartbeats = Heartbeats(redis_client, 15, prefix)
    slots = (ThreadTask(0), ThreadTask(1, Task("mail.deliver", "deliver", "id", NOW_MS)))
    heartbeats.beat("worker", "a", {"pid": "7"}, slots)
    (beat,) = heartbeats.alive("worker")
    assert (beat.facts, beat.threads) == ({"pid": "7"}, slots)
