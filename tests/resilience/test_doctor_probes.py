from __future__ import annotations

from functools import partial

import pytest
import redis

from domain.check import Severity
from resilience.doctor_probes import durability, place_of, probe_rabbitmq, probe_redis
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import free_port

WELL = {"aof_enabled": 1, "aof_last_write_status": "ok"}


def test_a_server_that_is_well_shows_its_version(redis_url: str) -> None:
    found = probe_redis(partial(redis.Redis.from_url, redis_url), "here", "start it")
    assert found.failure is None
    assert found.note.startswith(("Valkey ", "Redis "))


def test_a_server_that_is_down_names_its_address_and_how_to_start_it() -> None:
    url = f"redis://:hidden@127.0.0.1:{free_port()}/0"
    found = probe_redis(partial(redis.Redis.from_url, url), place_of(url), "start it")
    assert found.failure is not None
    assert found.failure.subject.startswith(f"{place_of(url)} does not answer")
    assert (found.severity, found.failure.command) == (Severity.UNHEALTHY, "start it")


def test_a_replica_is_a_failure() -> None:
    with running(valkey_binary()) as server:
        with redis.Redis.from_url(server.url) as client:
            client.replicaof("127.0.0.1", "1")
        found = probe_redis(partial(redis.Redis.from_url, server.url), "here", "start it")
    assert found.failure is not None
    assert "here takes no writes" in found.failure.subject


@pytest.mark.parametrize(
    ("persistence", "policy", "severity", "command"),
    [
        (WELL, "noeviction", None, ""),
        (WELL | {"aof_enabled": 0}, "noeviction", Severity.DEGRADED, "redis-cli CONFIG SET appendonly yes"),
        (WELL, "allkeys-lru", Severity.DEGRADED, "redis-cli CONFIG SET maxmemory-policy noeviction"),
        (
            WELL | {"aof_last_write_status": "err"},
            "noeviction",
            Severity.UNHEALTHY,
            "free space on the disk of Redis",
        ),
    ],
)
def test_a_server_that_loses_messages_is_a_failure(
    persistence: dict[str, object], policy: str, severity: Severity | None, command: str
) -> None:
    found = durability(persistence, policy)
    assert found.severity is severity
    assert command == ("" if found.failure is None else found.failure.command)


def test_a_rabbitmq_that_is_down_is_named_with_what_to_do() -> None:
    found = probe_rabbitmq("amqp://guest:guest@127.0.0.1:1/", "start it")
    assert found.failure is not None
    assert found.failure.subject.startswith("127.0.0.1:1 does not answer")
    assert found.failure.command == "start it"


def test_an_address_is_shown_without_credentials() -> None:
    assert place_of("redis://:hidden@host/0") == "host:6379"
    assert place_of("amqp://guest:guest@host/") == "host:5672"
    assert place_of("unix:///run/valkey.sock") == "/run/valkey.sock"
