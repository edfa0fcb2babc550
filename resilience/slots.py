"""What each thread of a worker has in hand, so that an operator can see who does what since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from threading import Lock, get_ident
from time import time_ns

from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.worker import WorkerThread


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
