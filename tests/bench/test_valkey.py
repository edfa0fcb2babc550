from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from bench.chaos.broker import BrokerView
from bench.programs import Programs, poll
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
    valkey.flush()
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
    ((holder, messages),) = view.unacknowledged().items()
    assert holder == broker.broker_id
    assert {message.queue for message in messages} == {"check"}
    assert view.unfinished(messages) == messages
    may_end.set()
    poll(lambda: not view.unacknowledged() or None, seconds=30)
    assert view.unfinished(messages) == set()
    worker.stop()


def test_traffic_counts_a_pipeline_as_one_round_trip(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        valkey = Valkey(programs, tmp_path)
        client = redis.Redis.from_url(valkey.url)
        client.ping()
        before = valkey.traffic()
        with client.pipeline(transaction=False) as pipeline:
            for key in "abc":
                pipeline.set(key, 1)
            pipeline.execute()
        client.close()
        traffic = valkey.traffic() - before
    overhead = 3  # what it takes to ask: two INFO sections before, one after
    assert traffic.commands in range(3, 3 + overhead + 1)
    assert traffic.round_trips in range(1, 1 + overhead + 1)
