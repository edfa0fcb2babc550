from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from threading import Thread

import dramatiq
import redis
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from observability.logs import JsonLines, Text, TraceMiddleware, bind_ids, ids
from tests.support.broker import process_all


def test_ids_are_bound_for_a_block_and_beside_those_around_it() -> None:
    with bind_ids(request_id="r"):
        with bind_ids(run_id="1", batch_id=7):
            assert ids() == {"request_id": "r", "run_id": "1", "batch_id": 7}
        assert ids() == {"request_id": "r"}
    assert ids() == {}


def test_another_thread_is_not_bound() -> None:
    seen: list[Mapping[str, object]] = []
    with bind_ids(run_id="1"):
        thread = Thread(target=lambda: seen.append(ids()))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_a_message_takes_the_run_and_the_request_along_through_retries_and_further_messages(
    redis_client: redis.Redis, prefix: str
) -> None:
    middleware = [TraceMiddleware(), Retries(min_backoff=1, max_backoff=2, max_retries=1)]
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=middleware)  # type: ignore[no-untyped-call]
    seen: list[Mapping[str, object]] = []

    @dramatiq.actor(broker=broker, queue_name="deliver", actor_name="mail.deliver")
    def deliver() -> None:
        seen.append(ids())

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def check() -> None:
        seen.append(ids())
        if len(seen) == 1:
            raise ValueError
        with bind_ids(batch_id=3):
            deliver.send()

    with bind_ids(request_id="r", run_id="1", batch_id=2):
        sent = check.send()
    process_all(broker, redis_client, prefix)
    propagated = {"request_id": "r", "run_id": "1"}
    attempt = {"actor": "sections.check", "message_id": sent.message_id, **propagated}
    assert seen[:2] == [attempt, attempt]
    (mail,) = seen[2:]
    assert mail == {"actor": "mail.deliver", "message_id": mail["message_id"], **propagated}


def test_a_thread_that_is_done_with_a_message_is_bound_to_nothing_of_it(
    redis_client: redis.Redis, prefix: str
) -> None:
    seen: list[Mapping[str, object]] = []

    class Last(Middleware):
        """Hears of the end after all others: it is before them in the list."""

        def after_process_message(self, broker: Broker, message: MessageProxy, **outcome: object) -> None:
            seen.append(ids())

    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=[Last(), TraceMiddleware()])  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="sections.check")
    def work() -> None:
        seen.append(ids())

    with bind_ids(run_id="1"):
        work.send()
    process_all(broker, redis_client, prefix)
    assert seen[0]["run_id"] == "1"
    assert seen[1] == {}


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {
            "name": "actors.check",
            "levelno": logging.INFO,
            "levelname": "INFO",
            "msg": "checked %d",
            "args": (3,),
        }
    )
    vars(made).update(extra)
    return made


def test_a_line_bears_the_ids_and_then_what_it_says_itself() -> None:
    with bind_ids(request_id="r", run_id="1"):
        line = json.loads(JsonLines().format(record(run_id="2", sections=3)))
        text = Text().format(record(sections=3))
    assert line["message"] == "checked 3"
    assert (line["request_id"], line["run_id"], line["sections"]) == ("r", "2", 3)
    assert text.endswith("  checked 3  run_id=1 sections=3")
