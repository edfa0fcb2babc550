"""Process heartbeats, and the work that each worker thread has in progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from itertools import count
from threading import Lock, get_ident
from time import time_ns
from typing import Any

import redis
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.worker import WorkerThread

from resilience.scripts import Clock, Scripts, clock_argument, text, translate_errors


@dataclass(frozen=True, slots=True)
class Task:
    """One message in work; `since_ms` is when its worker began, by the worker's own clock."""

    actor: str
    queue: str
    message_id: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class ThreadTask:
    """One thread of a worker, numbered from 0, and what it has in hand (None: it is idle)."""

    number: int
    task: Task | None = None


class ThreadTasks(Middleware):
    """Knows the slots of this process' worker; it keeps them in memory and makes no round trip."""

    def __init__(self, now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self._lock = Lock()
        self._slots: dict[int, ThreadTask] = {}  # by the thread's identity

    def read(self) -> tuple[ThreadTask, ...]:
        """Every slot at this moment, by number."""
        with self._lock:
            return tuple(sorted(self._slots.values(), key=lambda slot: slot.number))

    def after_worker_thread_boot(self, _broker: Broker, _thread: WorkerThread) -> None:
        """Give the thread that calls the lowest free number."""
        with self._lock:
            taken = {slot.number for slot in self._slots.values()}
            self._slots[get_ident()] = ThreadTask(next(n for n in count() if n not in taken))

    def before_worker_thread_shutdown(self, _broker: Broker, _thread: WorkerThread) -> None:
        """Forget the thread."""
        with self._lock:
            self._slots.pop(get_ident(), None)

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """The thread takes the message up."""
        self._put(Task(message.actor_name, message.queue_name, message.message_id, self._now_ms()))

    def after_process_message(
        self,
        _broker: Broker,
        _message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """The thread is idle again."""
        self._put(None)

    def after_skip_message(self, _broker: Broker, _message: MessageProxy) -> None:
        """The thread is idle again."""
        self._put(None)

    def _put(self, task: Task | None) -> None:
        with self._lock:
            slot = self._slots.get(get_ident())
            if slot is not None:
                self._slots[get_ident()] = ThreadTask(slot.number, task)


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
