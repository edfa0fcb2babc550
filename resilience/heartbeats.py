"""Process heartbeats, and the work that each worker thread has in progress."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from itertools import count
from threading import Lock, get_ident
from typing import Any

import redis
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.worker import WorkerThread

from resilience.scripts import Clock, Scripts, clock_argument, host_ms, text, translate_errors


@dataclass(frozen=True, slots=True)
class Task:
    """One message in progress; `since_ms` is when its worker started it, by the worker's clock."""

    actor: str
    queue: str
    message_id: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class ThreadTask:
    """One thread of a worker, numbered from 0, and its task (None if idle)."""

    number: int
    task: Task | None = None


class ThreadTasks(Middleware):
    """Tracks the threads of this process's worker in memory, without round trips."""

    def __init__(self, now_ms: Clock = host_ms) -> None:
        self._now_ms = now_ms
        self._lock = Lock()
        self._threads: dict[int, ThreadTask] = {}  # by thread id

    def read(self) -> tuple[ThreadTask, ...]:
        """The current threads, ordered by number."""
        with self._lock:
            return tuple(sorted(self._threads.values(), key=lambda thread: thread.number))

    def after_worker_thread_boot(self, _broker: Broker, _thread: WorkerThread) -> None:
        """Assign the calling thread the lowest free number."""
        with self._lock:
            taken = {thread.number for thread in self._threads.values()}
            self._threads[get_ident()] = ThreadTask(next(n for n in count() if n not in taken))

    def before_worker_thread_shutdown(self, _broker: Broker, _thread: WorkerThread) -> None:
        """Remove the thread."""
        with self._lock:
            self._threads.pop(get_ident(), None)

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Set the thread's task."""
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
            thread = self._threads.get(get_ident())
            if thread is not None:
                self._threads[get_ident()] = ThreadTask(thread.number, task)


TICKED_AT = "ticked_at"
"""A fact of schedulers: when the last tick ended, in seconds since the epoch."""

ADDRESS = "address"
"""A fact of web processes: where they listen, as host:port."""

DATABASE_ERRORS, DATABASE_ERROR = "database_errors", "database_error"
"""Facts of every process: the number of recent database errors, and the text of the last."""

MEMORY = "resident_bytes"
"""A fact of every process: its resident memory."""

_THREADS, _HOST_MS = "slots", "host_ms"  # stored names, in the same JSON as the facts


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One live instance, its facts, and the age of its heartbeat.

    Shape: `threads` has one entry per thread of a worker, by number; other roles have none. `ahead_seconds`
    is how far its host's clock is ahead of Redis's, 0 if not reported.
    """

    role: str
    instance_id: str
    facts: Mapping[str, str]
    age_seconds: float
    threads: tuple[ThreadTask, ...] = ()
    ahead_seconds: float = 0.0


class Heartbeats:
    """The instances of each role with a heartbeat within `ttl_seconds`, on Redis's clock.

    Shape: sorted set `{prefix}:heartbeats:{role}` and hash `{prefix}:heartbeats:{role}:facts`; both expire
    without heartbeats. Raises: UnreachableError from every method.
    """

    def __init__(
        self,
        client: redis.Redis,
        ttl_seconds: float,
        prefix: str = "rollcall",
        *,
        now_ms: Clock | None = None,
        host_ms: Clock = host_ms,
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._ttl_ms = round(ttl_seconds * 1000)
        self._prefix = prefix
        self._now_ms = now_ms
        self._host_ms = now_ms or host_ms

    def beat(
        self, role: str, instance_id: str, facts: Mapping[str, str], threads: Iterable[ThreadTask] = ()
    ) -> None:
        """Record a heartbeat of `instance_id`; `facts` and `threads` replace the previous ones."""
        stored = json.dumps({**facts, _THREADS: [_row(each) for each in threads], _HOST_MS: self._host_ms()})
        args = [clock_argument(self._now_ms), instance_id, stored, self._ttl_ms]
        with translate_errors():
            self._scripts.heartbeat_beat(self._keys(role), args)

    def alive(self, role: str) -> list[Heartbeat]:
        """The live instances, the oldest heartbeat first."""
        with translate_errors():
            beats = self._scripts.heartbeat_read(
                self._keys(role), [clock_argument(self._now_ms), self._ttl_ms]
            )
        return [
            _heartbeat(role, text(instance_id), json.loads(stored), age_ms, beat_ms)
            for instance_id, age_ms, stored, beat_ms in beats
        ]

    def web_address(self) -> str | None:
        """The address of a live web process as host:port; None if none reports one."""
        return next((beat.facts[ADDRESS] for beat in self.alive("web") if beat.facts.get(ADDRESS)), None)

    def leave(self, role: str, instance_id: str) -> None:
        """Remove `instance_id`, which stops deliberately."""
        beats, facts = self._keys(role)
        with translate_errors(), self._client.pipeline() as pipeline:
            pipeline.zrem(beats, instance_id)
            pipeline.hdel(facts, instance_id)
            pipeline.execute()

    def _keys(self, role: str) -> list[str]:
        key = f"{self._prefix}:heartbeats:{role}"
        return [key, f"{key}:facts"]


def _heartbeat(role: str, instance_id: str, stored: dict[str, Any], age_ms: int, beat_ms: int) -> Heartbeat:
    threads = tuple(_thread(*row) for row in stored.pop(_THREADS, ()))
    ahead_ms = stored.pop(_HOST_MS, beat_ms) - beat_ms
    return Heartbeat(role, instance_id, stored, age_ms / 1000, threads, ahead_ms / 1000)


def _row(thread: ThreadTask) -> list[Any]:
    return [thread.number] if thread.task is None else [thread.number, *astuple(thread.task)]


def _thread(number: int, *task: Any) -> ThreadTask:
    return ThreadTask(number, Task(*task) if task else None)
