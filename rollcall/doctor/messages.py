"""Checks of Redis and the broker: reachable, durable, fast, and with a clock close to this host's."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import redis

from domain.errors import UnreachableError
from resilience.scripts import check_writable
from rollcall import brokers
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.doctor.starting import start_command
from rollcall.embedded_valkey import socket_path
from rollcall.wiring import redis_client

_WRITABLE = "name the primary in the URL; or make room on its disk, or raise maxmemory"
_ROUND_TRIPS = 5
_SLOW_SECONDS = 0.1
_SKEW_SECONDS, _MOST_SKEW_SECONDS = 5.0, 12.0  # beyond it, live workers count as dead


def _redis(case: InspectedSettings) -> Verdict:
    url = case.settings.redis_url
    if url is None:
        place, remedy = str(socket_path(case.settings.home)), start_command("valkey", managed=case.is_managed)
    else:
        place, remedy = _place(url), _remedy(url, "REDIS_URL")
    return _answering(lambda: redis_client(case.settings), place, remedy)


def _answering(connect: Callable[[], redis.Redis], place: str, remedy: str) -> Verdict:
    try:
        with connect() as client:
            info, seconds = client.info("server"), _round_trip_seconds(client)
            check_writable(client)
    except redis.AuthenticationError as error:
        return failure(f"{place} refuses the password: {error}", "correct the password in the URL")
    except UnreachableError as error:
        return failure(f"{place} takes no writes: {error.__cause__}", _WRITABLE)
    except redis.RedisError as error:
        return failure(f"{place} does not answer: {error}", remedy)
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    seen = f"{name} {version} at {place}, round trip {seconds * 1000:.1f} ms"
    if seconds > _SLOW_SECONDS:
        return warning(seen, "run it nearer: each batch of checks takes several round trips")
    return ok(seen)


def _round_trip_seconds(client: redis.Redis) -> float:
    def once() -> float:
        begun = time.perf_counter()
        client.ping()
        return time.perf_counter() - begun

    return median(once() for _ in range(_ROUND_TRIPS))


def _place(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


def _remedy(url: str, name: str) -> str:
    return f"start the server at {_place(url)}, or correct {name}"


def _persistence(case: InspectedSettings) -> Verdict:
    with redis_client(case.settings) as client:
        kept, memory = client.info("persistence"), client.info("memory")
    return _durable(kept, memory)


def _durable(kept: dict[str, Any], memory: dict[str, Any]) -> Verdict:
    if not kept["aof_enabled"]:
        return warning(
            "appendonly is off: a restart forgets messages and breakers",
            "redis-cli CONFIG SET appendonly yes",
        )
    if kept["aof_last_write_status"] != "ok":
        return failure("its append-only file cannot be written", "make room on the disk of Redis")
    policy = memory["maxmemory_policy"]
    if policy != "noeviction":
        return warning(
            f"maxmemory-policy is {policy}: what does not fit is thrown away",
            "redis-cli CONFIG SET maxmemory-policy noeviction",
        )
    return ok("append-only file, nothing is evicted")


def _broker(case: InspectedSettings) -> Verdict:
    url = case.settings.broker_url
    if url is None:
        return ok("it is Redis")
    if brokers.is_rabbitmq(case.settings):
        return _rabbitmq(url)
    return _answering(lambda: _client(url), _place(url), _remedy(url, "BROKER_URL"))


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)


def _rabbitmq(url: str) -> Verdict:
    try:
        import pika  # noqa: PLC0415 - only where it is the broker
    except ImportError:
        return failure("pika, which speaks to RabbitMQ, is not installed", "make setup")
    parts = urlsplit(url)
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 5
    place = f"{parts.hostname}:{parts.port or 5672}"
    try:
        pika.BlockingConnection(parameters).close()
    except pika.exceptions.AMQPError as error:
        remedy = f"start the server at {place}, or correct BROKER_URL"
        return failure(f"{place} does not answer: {error!r}", remedy)
    return ok(f"RabbitMQ at {place}")


def _clock(case: InspectedSettings) -> Verdict:
    with redis_client(case.settings) as client:
        before = time.time()
        seconds, microseconds = client.time()
        after = time.time()
    return skew(abs((before + after) / 2 - (seconds + microseconds / 1e6)))


def skew(skew_seconds: float) -> Verdict:
    """Describe the offset between the clocks of this host and Redis."""
    seen = f"{skew_seconds:.1f} s apart from Redis"
    hint = "timedatectl set-ntp true"
    if skew_seconds > _MOST_SKEW_SECONDS:
        return failure(seen, hint)
    return warning(seen, hint) if skew_seconds > _SKEW_SECONDS else ok(seen)


_NEEDS = ("settings.REDIS_URL", "settings.ROLLCALL_HOME")


def checks(case: InspectedSettings) -> tuple[Check, ...]:
    """Return the checks of Redis, and of a broker on another server."""
    own = () if case.settings.broker_url else (*_NEEDS, "redis")
    needs = ("settings.BROKER_URL", *own)
    return (
        Check("redis", _redis, "correct REDIS_URL", _NEEDS),
        Check("redis.persistence", _persistence, "let this user run INFO on Redis", (*_NEEDS, "redis")),
        Check("broker", _broker, "start the broker, or correct BROKER_URL", needs),
        Check("clock", _clock, "timedatectl set-ntp true", (*_NEEDS, "redis")),
    )
