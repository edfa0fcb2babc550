from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from dramatiq.brokers.stub import StubBroker

from actors import QUEUES
from actors.alert import send_alerts
from resilience.queues import QueueStats
from rollcall.brokers import rabbitmq_queues
from rollcall.home import prepare_home
from rollcall.roles.web import health
from rollcall.settings import parse
from rollcall.wiring import System, build
from store import migrate
from tests.support.redis_server import running, valkey_binary


class CountingBroker(StubBroker):
    """Reports each queue as RabbitMQ does: ready, delayed and dead messages, without ages."""

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        return (3, 1, 2) if queue_name == "check" else (0, 1, 0)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    found = build(prepare_home(parse({"ROLLCALL_HOME": str(tmp_path)})))
    yield found
    found.close()


def test_rabbitmq_does_not_report_the_age_of_a_waiting_message() -> None:
    nothing = QueueStats(1, None, 0)
    assert rabbitmq_queues(CountingBroker()) == dict.fromkeys(QUEUES, nothing) | {
        "check": QueueStats(4, None, 2, is_age_known=False)
    }


def test_readiness_is_one_round_trip_to_redis_however_many_queues_there_are(
    home_on: Callable[..., System],
) -> None:
    system = home_on()
    assert trips(system, lambda: health(system).ready()) == 1


def test_all_queues_are_read_in_one_round_trip_and_a_second_where_messages_wait(
    home_on: Callable[..., System],
) -> None:
    system = home_on()
    queues = system.admin.queues
    assert trips(system, queues) == 1
    system.services.publish(send_alerts.message())
    assert trips(system, queues) == 2
    assert (queues()["deliver"].depth, queues()["check"].depth) == (1, 0)
    assert queues()["deliver"].oldest_age_seconds is not None


def test_a_broker_that_is_another_server_is_asked_too(home_on: Callable[..., System]) -> None:
    with running(valkey_binary()) as other:
        system = home_on(BROKER_URL=other.url)
        assert health(system).ready().status == "healthy"
    assert health(system).ready().status == "unhealthy"
    assert health(system).report().checks.keys() >= {"redis", "broker", "queues"}


def test_another_request_within_a_second_costs_nothing(home_on: Callable[..., System]) -> None:
    system = home_on()
    assert trips(system, health(system).ready) == 0


def test_a_broker_that_is_redis_itself_is_not_asked_twice(home_on: Callable[..., System], alone: str) -> None:
    system = home_on(BROKER_URL=alone)
    assert trips(system, lambda: health(system).ready()) == 1
    assert health(system).report().checks["broker"] == "ok"


@pytest.fixture
def alone() -> Iterator[str]:
    """A server for this test alone."""
    with running(valkey_binary()) as server:
        yield server.url


@pytest.fixture
def home_on(tmp_path: Path, alone: str) -> Iterator[Callable[..., System]]:
    """Builds a ready system on that server."""
    with ExitStack() as opened:

        def make(**settings: str) -> System:
            values = {"ROLLCALL_HOME": str(tmp_path), "REDIS_URL": alone} | settings
            found = opened.enter_context(closing(build(prepare_home(parse(values)))))
            migrate.upgrade(found.database)
            return found

        yield make


def trips(system: System, ask: Callable[[], object]) -> int:
    """How often the server had to read while `ask` asked: once for each round trip."""
    ask()  # connect, and teach it what it keeps
    before = reads(system)
    ask()
    return reads(system) - before - 1


def reads(system: System) -> int:
    return int(system.redis.info("stats")["total_reads_processed"])
