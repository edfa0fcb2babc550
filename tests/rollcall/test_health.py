from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dramatiq.brokers.stub import StubBroker

from actors import QUEUES
from resilience.queues import QueueReading
from rollcall import environment
from rollcall.health import Health
from rollcall.settings import parse
from rollcall.wiring import System, build


class CountingBroker(StubBroker):
    """Tells of each queue what RabbitMQ does: ready, delayed and dead messages, and no ages."""

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        return (3, 1, 2) if queue_name == "check" else (0, 1, 0)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    found = build(environment.prepare_home(parse({"ROLLCALL_HOME": str(tmp_path)})))
    yield found
    found.close()


def test_rabbitmq_does_not_tell_since_when_a_message_waits(system: System) -> None:
    settings = replace(system.settings, broker_url="amqp://127.0.0.1/")
    health = Health(replace(system, settings=settings, broker=CountingBroker()))
    nothing = QueueReading(1, None, 0)
    assert health.queues() == dict.fromkeys(QUEUES, nothing) | {
        "check": QueueReading(4, None, 2, is_age_known=False)
    }
