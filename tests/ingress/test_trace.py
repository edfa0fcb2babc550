"""One request's id, and its run's, in every log line that they cause: from the trigger to the mail."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import redis
from dramatiq import Broker, Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import ShutdownNotifications, TimeLimit

from actors import ACTORS
from actors.registry import install
from observability.logs import JsonLines, TraceMiddleware
from resilience.crash_budget import CrashBudget
from tests.ingress.site import CRON, Stage
from tests.ingress.site import site as on
from tests.support.broker import process_all
from tests.support.catalog import Row
from tests.support.harness import Harness

ADDRESS = "ada@example.edu"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the processes would write to standard error."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """Those of our own actors, in order."""
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in found if line["logger"].startswith("actors.")]


def _enqueue(broker: Broker, message: Message[Any]) -> None:
    broker.enqueue(message)


def test_every_line_that_a_request_causes_bears_its_id_and_its_run(
    stage: Stage, rollcall: Harness, redis_client: redis.Redis, prefix: str, written: io.StringIO
) -> None:
    middleware = [
        TraceMiddleware(),
        CrashBudget(redis_client, prefix=prefix),
        ShutdownNotifications(),
        TimeLimit(),
    ]
    broker = RedisBroker(client=redis_client, namespace=prefix, middleware=middleware)  # type: ignore[no-untyped-call]
    rollcall.watch(email=ADDRESS)
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    rollcall.clock.advance(60)
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=2)
    services = replace(rollcall.services, publish=partial(_enqueue, broker))
    install(broker, services, ACTORS)
    already = len(lines(written))
    with on(stage, rollcall, services=services) as site:
        asked = "/cron/section-checks?stagger=all&force=1"
        answer = site.client.post(asked, headers=CRON | {"X-Request-ID": "job-7"})
    process_all(broker, redis_client, prefix)

    response = lines(written)[already:]
    assert [line["message"] for line in response] == ["triggered", "dispatching", "checked", "sent"]
    assert {(line["request_id"], line["run_id"]) for line in response} == {("job-7", answer.json()["run_id"])}
    assert [line.get("actor") for line in response] == [
        None,
        "sections.dispatch",
        "sections.check",
        "mail.deliver",
    ]
    assert len({line["message_id"] for line in response[1:]}) == 3
    assert response[-1]["notifications"] == [1]
    assert len(rollcall.mailer.sent) == 1
    assert ADDRESS not in written.getvalue()
