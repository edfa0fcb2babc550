"""The Lua scripts of this package, bound to one Redis client.

Every time is the Redis server's unless a clock is given (`clock_argument`), so hosts' clocks may differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from domain.errors import UnreachableError

UNREACHABLE = (redis.ConnectionError, redis.TimeoutError)
"""redis-py's errors for an unreachable server."""

_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY")
_PROBE_KEY, _PROBE_TTL_MS = "rollcall:probe", 60_000

T = TypeVar("T")

Script = Callable[[list[str], list[str | int]], Any]
"""Runs one script with KEYS and ARGV."""

Clock = Callable[[], int]
"""The current time in ms since the epoch."""


class ScriptRejectedError(redis.ConnectionError):
    """The server answers but rejects writes: its disk or memory is full, or it is a replica."""


class Scripts:
    """One attribute per script in `lua/`; the header of each file is its contract.

    Lua on the server has no `include`: shared code is in files of its own and is prepended to the scripts.
    There is no I/O until a script runs.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.breaker_permit = _script(client, "clock", "breaker_shared", "breaker_permit")
        self.breaker_record = _script(client, "clock", "breaker_shared", "breaker_window", "breaker_record")
        self.breaker_apply = _script(client, "clock", "breaker_shared", "breaker_apply")
        self.breaker_read = _script(client, "clock", "breaker_shared", "breaker_read")
        self.lease_acquire = _script(client, "clock", "lease_shared", "lease_acquire")
        self.lease_renew = _script(client, "clock", "lease_shared", "lease_renew")
        self.lease_release = _script(client, "clock", "lease_shared", "lease_release")
        self.lease_read = _script(client, "clock", "lease_shared", "lease_read")
        self.lease_force_release = _script(client, "clock", "lease_shared", "lease_force_release")
        self.claims_take = _script(client, "claims_take")
        self.claims_release = _script(client, "claims_release")
        self.login_attempt_take = _script(client, "login_attempt_take")
        self.rate_limit_reserve = _script(client, "rate_limit_shared", "rate_limit_reserve")
        self.rate_limit_hold = _script(client, "rate_limit_shared", "rate_limit_hold")
        self.host_gate_enter = _script(client, "clock", "host_gate_shared", "host_gate_enter")
        self.host_gate_leave = _script(client, "clock", "host_gate_shared", "host_gate_leave")
        self.host_gate_hold = _script(client, "clock", "host_gate_shared", "host_gate_hold")
        self.host_gate_read = _script(client, "clock", "host_gate_shared", "host_gate_read")
        self.heartbeat_beat = _script(client, "clock", "heartbeat_beat")
        self.heartbeat_read = _script(client, "clock", "heartbeat_read")
        self.metrics_add = _script(client, "metrics_add")
        self.crash_budget_start = _script(client, "crash_budget_start")
        self.dead_letters_explain = _script(client, "dead_letters_explain")
        self.dead_letters_retry = _script(client, "dead_letters_retry")
        self.dead_letters_purge = _script(client, "dead_letters_purge")


def host_ms() -> int:
    """The time of this host."""
    return time.time_ns() // 1_000_000


def moment(at_ms: float) -> datetime:
    """The time `at_ms` after the epoch."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`: one call must not block Redis for long."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def clock_argument(now_ms: Clock | None) -> int | str:
    """The first ARGV of a script that needs the time; "" means the server's clock."""
    return "" if now_ms is None else now_ms()


def text(value: bytes | str) -> str:
    """A reply as text, whether or not the client decodes."""
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors of an unreachable or read-only server to `UnreachableError`."""
    try:
        with _serving():
            yield
    except UNREACHABLE as error:
        raise UnreachableError(f"Redis cannot be reached: {error}") from error


def check_writable(client: redis.Redis) -> None:
    """Write a key that expires by itself, in one round trip.

    Raises: UnreachableError if the server is unreachable or rejects writes (replica, full disk or memory).
    """
    with translate_errors():
        client.set(_PROBE_KEY, 1, px=_PROBE_TTL_MS)


@contextmanager
def _serving() -> Iterator[None]:
    """Raises: ScriptRejectedError, so that a read-only server is handled like an unreachable one."""
    try:
        yield
    except redis.ResponseError as error:
        if isinstance(error, ReadOnlyError | OutOfMemoryError) or str(error).startswith(_REFUSALS):
            raise ScriptRejectedError(str(error)) from error
        raise


def _script(client: redis.Redis, *parts: str) -> Script:
    registered = client.register_script(_source(*parts))

    def run(keys: list[str], args: list[str | int]) -> Any:
        with _serving():
            return registered(keys=keys, args=args)

    return run


@cache
def _source(*parts: str) -> str:
    return "".join(files("resilience").joinpath("lua", f"{part}.lua").read_text() for part in parts)
