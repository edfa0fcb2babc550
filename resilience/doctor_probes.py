"""Probes of a Redis or RabbitMQ server: reachable, writable, durable, fast, and with the right time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import redis

from domain.check import Result, degraded, healthy, unhealthy
from domain.errors import UnreachableError
from resilience.scripts import check_writable

_ROUND_TRIPS = 5
_SLOW_SECONDS = 0.1
_SKEW_SECONDS = 5.0


def probe_redis(connect: Callable[[], redis.Redis], place: str, command: str) -> Result:
    """Return whether the server at `place` takes writes; `command` starts it."""
    try:
        with connect() as client:
            info, seconds = client.info("server"), _round_trip_seconds(client)
            check_writable(client)
    except redis.AuthenticationError as error:
        return unhealthy(f"{place} refuses the password: {error}", "correct the password in the URL")
    except UnreachableError as error:
        advice = "name the primary in the URL; or free space on its disk, or raise maxmemory"
        return unhealthy(f"{place} takes no writes: {error.__cause__}", advice)
    except redis.RedisError as error:
        return unhealthy(f"{place} does not answer: {error}", command)
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    seen = f"{name} {version} at {place}, round trip {seconds * 1000:.1f} ms"
    skew_seconds = abs(time.time() - info["server_time_usec"] / 1e6)
    if skew_seconds > _SKEW_SECONDS:
        return degraded(
            f"{seen}, its clock {skew_seconds:.0f} s from this host's", "timedatectl set-ntp true"
        )
    if seconds > _SLOW_SECONDS:
        return degraded(seen, "run it nearer: each batch of checks takes several round trips")
    return healthy(seen)


def probe_persistence(connect: Callable[[], redis.Redis]) -> Result:
    """Return whether the server keeps what it was given."""
    with connect() as client:
        kept, memory = client.info("persistence"), client.info("memory")
    return durability(kept, memory["maxmemory_policy"])


def durability(persistence: dict[str, Any], policy: str) -> Result:
    """Judge the section "persistence" of INFO, and the maxmemory policy."""
    if not persistence["aof_enabled"]:
        lost = "appendonly is off: a restart loses messages and breaker states"
        return degraded(lost, "redis-cli CONFIG SET appendonly yes")
    if persistence["aof_last_write_status"] != "ok":
        return unhealthy("its append-only file cannot be written", "free space on the disk of Redis")
    if policy != "noeviction":
        evicted = f"maxmemory-policy is {policy}: keys are evicted when memory is full"
        return degraded(evicted, "redis-cli CONFIG SET maxmemory-policy noeviction")
    return healthy("append-only file, no eviction")


def probe_rabbitmq(url: str, command: str) -> Result:
    """Return whether the server at `url` accepts a connection; `command` starts it."""
    try:
        import pika  # noqa: PLC0415 - only where it is the broker
    except ImportError:
        return unhealthy("pika, the client for RabbitMQ, is not installed", "make setup")
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 5
    try:
        pika.BlockingConnection(parameters).close()
    except pika.exceptions.AMQPError as error:
        return unhealthy(f"{place_of(url)} does not answer: {error!r}", command)
    return healthy(f"RabbitMQ at {place_of(url)}")


def place_of(url: str) -> str:
    """Return the host and port, or the socket, of `url`."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname}:{parts.port or (5672 if parts.scheme.startswith('amqp') else 6379)}"


def _round_trip_seconds(client: redis.Redis) -> float:
    def once() -> float:
        begun = time.perf_counter()
        client.ping()
        return time.perf_counter() - begun

    return median(once() for _ in range(_ROUND_TRIPS))
