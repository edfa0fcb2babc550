"""Which processes are alive, by their own word."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import redis

from resilience.scripts import Clock, Scripts, clock_argument, text, translate_errors
from resilience.slots import Task, ThreadTask

TICKED_AT = "ticked_at"
"""A fact of schedulers: when the last tick ended, in seconds since the epoch."""

ADDRESS = "address"
"""A fact of web processes: where they listen, as host:port."""

DATABASE_ERRORS, DATABASE_ERROR = "database_errors", "database_error"
"""Facts of every process: how many database errors it has met lately, and the text of the last."""

_SLOTS, _HOST_MS = "slots", "host_ms"  # beside the facts, in the same JSON


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One live instance, what it says of itself, and how long ago it said so.

    Shape: `slots` has one entry a thread of a worker, by number; other roles have none. `ahead_seconds` is
    how far the clock of its host is ahead of Redis', 0 where it did not say.
    """

    role: str
    instance_id: str
    facts: Mapping[str, str]
    age_seconds: float
    slots: tuple[ThreadTask, ...] = ()
    ahead_seconds: float = 0.0


class Heartbeats:
    """The instances of each role that have beaten within `ttl_seconds`, on Redis' own clock.

    Shape: sorted set `{prefix}:heartbeats:{role}` and hash `{prefix}:heartbeats:{role}:facts`; both go
    when nobody beats. Raises: UnreachableError from every method.
    """

    def __init__(
        self,
        client: redis.Redis,
        ttl_seconds: float,
        prefix: str = "rollcall",
        *,
        now_ms: Clock | None = None,
        host_ms: Clock = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._ttl_ms = round(ttl_seconds * 1000)
        self._prefix = prefix
        self._now_ms = now_ms
        self._host_ms = now_ms or host_ms

    def beat(
        self, role: str, instance_id: str, facts: Mapping[str, str], slots: Iterable[ThreadTask] = ()
    ) -> None:
        """Say that `instance_id` is alive; `facts` and `slots` replace those of the beat before."""
        told = json.dumps({**facts, _SLOTS: [_row(slot) for slot in slots], _HOST_MS: self._host_ms()})
        args = [clock_argument(self._now_ms), instance_id, told, self._ttl_ms]
        with translate_errors():
            self._scripts.heartbeat_beat(self._keys(role), args)

    def alive(self, role: str) -> list[Heartbeat]:
        """Those who live, the longest silent first."""
        with translate_errors():
            beats = self._scripts.heartbeat_read(
                self._keys(role), [clock_argument(self._now_ms), self._ttl_ms]
            )
        return [
            _heartbeat(role, text(instance_id), json.loads(told), age_ms, beat_ms)
            for instance_id, age_ms, told, beat_ms in beats
        ]

    def web_address(self) -> str | None:
        """Where a live web process listens, as host:port; None where none says so."""
        return next((beat.facts[ADDRESS] for beat in self.alive("web") if beat.facts.get(ADDRESS)), None)

    def leave(self, role: str, instance_id: str) -> None:
        """Say good-bye: `instance_id` is not missed."""
        beats, facts = self._keys(role)
        with translate_errors(), self._client.pipeline() as pipeline:
            pipeline.zrem(beats, instance_id)
            pipeline.hdel(facts, instance_id)
            pipeline.execute()

    def _keys(self, role: str) -> list[str]:
        key = f"{self._prefix}:heartbeats:{role}"
        return [key, f"{key}:facts"]


def _heartbeat(role: str, instance_id: str, told: dict[str, Any], age_ms: int, beat_ms: int) -> Heartbeat:
    slots = tuple(_slot(*row) for row in told.pop(_SLOTS, ()))
    ahead_ms = told.pop(_HOST_MS, beat_ms) - beat_ms
    return Heartbeat(role, instance_id, told, age_ms / 1000, slots, ahead_ms / 1000)


def _row(slot: ThreadTask) -> list[Any]:
    return [slot.number] if slot.task is None else [slot.number, *astuple(slot.task)]


def _slot(number: int, *task: Any) -> ThreadTask:
    return ThreadTask(number, Task(*task) if task else None)
