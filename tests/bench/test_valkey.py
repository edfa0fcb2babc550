from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from bench.chaos.broker import BrokerView
from bench.deadline import poll
from bench.programs import Programs
from bench.valkey import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with Programs(tmp_path / "logs") as programs:
        yield Valkey(programs, tmp_path)


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


def test_it_is_back_at_its_address_with_what_it_wrote(valkey: Valkey, client: redis.Redis) -> None:
    client.set("kept", 1)
    poll(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0 or None, seconds=10)
    valkey.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    valkey.start()
    assert client.get("kept") == b"1"


def test_emptied_it_holds_nothing(valkey: Valkey, client: redis.Redis) -> None:
    client.set("lost", 1)
    valkey.empty()
    assert client.keys() == []


def test_a_worker_is_seen_with_what_it_has_in_hand(valkey: Valkey, client: redis.Redis) -> None:
    broker = RedisBroker(client=client)  # type: ignore[no-untyped-call]
    is_working, may_end = Event(), Event()

    @dramatiq.actor(broker=broker, queue_name="check")
    def work() -> None:
        is_working.set()
        may_end.wait(30)

    view, worker = BrokerView(valkey.url), dramatiq.Worker(broker, worker_timeout=50)
    work.send()
    worker.start()
    assert is_working.wait(30)
    ((holder, messages),) = view.in_hand().items()
    assert holder == broker.broker_id
    assert {message.queue for message in messages} == {"check"}
    assert view.unfinished(messages) == messages
    may_end.set()
    poll(lambda: not view.in_hand() or None, seconds=30)
    assert view.unfinished(messages) == set()
    worker.stop()
