from __future__ import annotations

import time

import pytest
import redis

from domain.errors import UnreachableError
from resilience.heartbeats import Heartbeat, Heartbeats

START_MS = 1_750_000_000_000


def test_an_instance_with_a_recent_heartbeat_is_alive(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS
    heartbeats = Heartbeats(redis_client, 15, prefix, now_ms=lambda: now_ms)
    heartbeats.beat("worker", "a", {"queues": "check"})
    now_ms += 10_000
    heartbeats.beat("worker", "b", {})
    heartbeats.beat("scheduler", "c", {})
    assert heartbeats.alive("worker") == [
        Heartbeat("worker", "a", {"queues": "check"}, 10),
        Heartbeat("worker", "b", {}, 0),
    ]
    now_ms += 5_000
    assert [beat.instance_id for beat in heartbeats.alive("worker")] == ["b"]


def test_a_heartbeat_replaces_the_previous_facts(redis_client: redis.Redis, prefix: str) -> None:
    heartbeats = Heartbeats(redis_client, 15, prefix)
    heartbeats.beat("worker", "a", {"in_work": "3"})
    heartbeats.beat("worker", "a", {"in_work": "0"})
    (beat,) = heartbeats.alive("worker")
    assert beat.facts == {"in_work": "0"}


def test_an_instance_that_leaves_is_gone_at_once(redis_client: redis.Redis, prefix: str) -> None:
    heartbeats = Heartbeats(redis_client, 15, prefix)
    heartbeats.beat("worker", "a", {})
    heartbeats.leave("worker", "a")
    assert heartbeats.alive("worker") == []


def test_instances_without_heartbeats_leave_no_keys(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS
    heartbeats = Heartbeats(redis_client, 15, prefix, now_ms=lambda: now_ms)
    heartbeats.beat("worker", "a", {})
    now_ms += 15_000
    heartbeats.beat("worker", "b", {})
    assert redis_client.hkeys(f"{prefix}:heartbeats:worker:facts") == [b"b"]
    assert 0 < redis_client.pttl(f"{prefix}:heartbeats:worker") <= 15_000


def test_an_unreachable_redis_is_not_an_empty_fleet(unreachable: redis.Redis, prefix: str) -> None:
    with pytest.raises(UnreachableError):
        Heartbeats(unreachable, 15, prefix).alive("worker")


def test_a_heartbeat_from_before_the_clock_was_set_back_does_not_count(
    redis_client: redis.Redis, prefix: str
) -> None:
    now_ms = START_MS + 86_400_000
    heartbeats = Heartbeats(redis_client, 15, prefix, now_ms=lambda: now_ms)
    heartbeats.beat("worker", "dead", {})
    heartbeats.beat("worker", "alive", {})
    now_ms = START_MS
    assert heartbeats.alive("worker") == []
    heartbeats.beat("worker", "alive", {})
    assert heartbeats.alive("worker") == [Heartbeat("worker", "alive", {}, 0)]
    assert redis_client.hkeys(f"{prefix}:heartbeats:worker:facts") == [b"alive"]


def test_a_heartbeat_reports_how_far_its_host_clock_is_ahead(redis_client: redis.Redis, prefix: str) -> None:
    def host_ms() -> int:
        return time.time_ns() // 1_000_000 + ahead_ms

    for ahead_ms in (86_400_000, -60_000):
        heartbeats = Heartbeats(redis_client, 15, prefix, host_ms=host_ms)
        heartbeats.beat("worker", "a", {})
        (beat,) = heartbeats.alive("worker")
        assert beat.ahead_seconds == pytest.approx(ahead_ms / 1000, abs=1)
        assert beat.facts == {}
