from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from observability.metrics_store import MetricsStore
from observability.recorders import CPU, MESSAGES, STARTS, Recorder
from resilience.heartbeats import MEMORY, Heartbeats, ThreadTasks
from rollcall.heartbeat import HeartbeatThread, running_heartbeat
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import wait_until

NO_RETRY = Retry(NoBackoff(), 0)


class Patient:
    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.heartbeats, self.metrics, self.recorder = (
            Heartbeats(client, 30, prefix),
            MetricsStore(client, prefix),
            Recorder(),
        )
        self.heartbeat = HeartbeatThread(self.heartbeats, self.metrics, self.recorder, ThreadTasks())


@pytest.fixture
def patient(redis_client: redis.Redis, prefix: str) -> Patient:
    return Patient(redis_client, prefix)


def test_a_beat_stores_that_the_process_is_alive_its_tasks_and_its_counts(patient: Patient) -> None:
    patient.recorder.add(MESSAGES, "sections.check")
    patient.heartbeat.set_fact("ticked_at", "17")
    patient.heartbeat.beat("worker")
    (beat,) = patient.heartbeats.alive("worker")
    assert beat.facts["ticked_at"] == "17"
    assert float(beat.facts[MEMORY]) > 1_000_000
    counts = patient.metrics.read()
    assert MESSAGES.value(counts, "sections.check") == 1
    assert CPU.value(counts, "worker") > 0


def test_cpu_time_is_counted_once_however_often_it_beats(patient: Patient) -> None:
    patient.heartbeat.beat("worker")
    first = CPU.value(patient.metrics.read(), "worker")
    for _ in range(20):
        patient.heartbeat.beat("worker")
    assert CPU.value(patient.metrics.read(), "worker") < 2 * first


def test_a_start_is_counted_and_who_ends_leaves(patient: Patient) -> None:
    with running_heartbeat(patient.heartbeat, "web"):
        wait_until(lambda: len(patient.heartbeats.alive("web")) == 1, "a heartbeat")
        assert STARTS.value(patient.metrics.read(), "web") == 1
    assert patient.heartbeats.alive("web") == []


def test_while_redis_is_unavailable_nothing_is_interrupted_and_no_count_is_lost(prefix: str) -> None:
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url, retry=NO_RETRY) as client:
        patient = Patient(client, prefix)
        server.stop()
        patient.recorder.add(MESSAGES, "sections.check")
        patient.heartbeat.beat("worker")
        patient.recorder.add(MESSAGES, "sections.check")
        patient.heartbeat.beat("worker")
        server.start()
        patient.heartbeat.beat("worker")
        patient.heartbeat.beat("worker")
        assert MESSAGES.value(patient.metrics.read(), "sections.check") == 2


def test_a_redis_that_takes_nothing_for_want_of_memory_stops_no_heart(prefix: str) -> None:
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url) as client:
        patient = Patient(client, prefix)
        client.config_set("maxmemory", 1)
        patient.recorder.add(MESSAGES, "sections.check")
        patient.heartbeat.beat("worker")
        assert patient.heartbeats.alive("worker") == []
        client.config_set("maxmemory", 0)
        patient.heartbeat.beat("worker")
        assert len(patient.heartbeats.alive("worker")) == 1
        assert MESSAGES.value(patient.metrics.read(), "sections.check") == 1
