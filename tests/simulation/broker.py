"""The message broker in memory, with the retries of `rollcall/brokers.py` and the reaper of dead workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dramatiq import Message

from actors import ACTORS, QUEUES
from domain.errors import UnreachableError, is_retryable
from tests.simulation.faults import Fault, Outage
from tests.simulation.tasks import Task

if TYPE_CHECKING:
    from tests.simulation.hosts import Host
    from tests.simulation.world import World

MAX_RETRIES = 5
REAPED_AFTER_MS = (15_600, 20_000)
_HANDLERS = {spec.name: spec for spec in ACTORS}


@dataclass(eq=False)
class Parcel:
    """One message on its way; it is unfinished until its work ends or the server forgets it."""

    message: Message[Any]
    retries: int = 0

    @property
    def name(self) -> str:
        return f"{self.message.actor_name}{self.message.args}"


class Broker:
    """Hands messages to free threads; `dead` are the ones that will not be processed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.unfinished: list[Parcel] = []
        self.waiting: list[Parcel] = []
        self.dead: list[Parcel] = []
        self._carried: dict[Task, Parcel] = {}

    def publish(self, message: Message[Any]) -> None:
        """What `Services.publish` does. Raises: UnreachableError."""
        weather, scheduler = self._world.weather, self._world.scheduler
        scheduler.pause(f"publish {message.actor_name}{message.args}")
        if weather.lasts(Outage.BROKER) or weather.strikes(Fault.PUBLISH_ERROR):
            raise UnreachableError("the broker cannot be reached")
        if weather.strikes(Fault.MESSAGE_LOST):
            scheduler.log_event("broker", f"lost {message.actor_name}{message.args}")
            return
        for _ in range(2 if weather.strikes(Fault.MESSAGE_TWICE) else 1):
            late = 120_000 ** self._world.chance.random() if weather.strikes(Fault.MESSAGE_LATE) else 1
            self._enqueue(Parcel(message), late)

    def depths(self) -> dict[str, int | None]:
        """The unfinished messages of each queue."""
        names = [parcel.message.queue_name for parcel in self.unfinished]
        return {queue: names.count(queue) for queue in QUEUES}

    def flush(self) -> None:
        """Forget every message; what is in work goes on."""
        self.unfinished.clear()
        self.waiting.clear()

    def hand_out(self) -> None:
        """Give what waits to free threads, in an order by chance."""
        chance = self._world.chance
        while self.waiting:
            hosts = [host for host in self._world.hosts if host.free_threads > 0]
            if not hosts:
                return
            self._start(self.waiting.pop(chance.randrange(len(self.waiting))), chance.choice(hosts))

    def give_back(self, tasks: Iterable[Task], unless: Callable[[], bool] = lambda: False) -> None:
        """What the reaper does with the messages of a worker that is silent."""
        delay_ms = self._world.chance.uniform(*REAPED_AFTER_MS)
        for task in tasks:
            parcel = self._carried.get(task)
            if parcel is not None:
                self._world.timeline.after(delay_ms, partial(self._reap, task, parcel, unless))

    def _reap(self, task: Task, parcel: Parcel, unless: Callable[[], bool]) -> None:
        if not unless() and self._carried.get(task) is parcel:
            del self._carried[task]
            if parcel in self.unfinished:
                self._arrive(parcel)

    def _enqueue(self, parcel: Parcel, delay_ms: float) -> None:
        self.unfinished.append(parcel)
        self._world.timeline.after(delay_ms, lambda: self._arrive(parcel))

    def _arrive(self, parcel: Parcel) -> None:
        if parcel in self.unfinished:
            self.waiting.append(parcel)
            self.hand_out()

    def _start(self, parcel: Parcel, host: Host) -> None:
        message, process = parcel.message, host.worker
        handler = _HANDLERS[message.actor_name]
        work = partial(handler, process.services, *message.args, **message.kwargs)
        task = self._world.start(process, message.actor_name, work, self._finished)
        self._carried[task] = parcel

    def _finished(self, task: Task) -> None:
        parcel = self._carried.pop(task, None)
        if parcel is None:
            self._world.scheduler.log_event(task, "ended after it was taken for dead")
        elif parcel in self.unfinished:
            self.unfinished.remove(parcel)
        if parcel is not None and task.error is not None:
            self._retry(parcel, task.error)
        self.hand_out()

    def _retry(self, parcel: Parcel, error: BaseException) -> None:
        if parcel.retries >= MAX_RETRIES or not is_retryable(error):
            self._world.scheduler.log_event("broker", f"dead: {parcel.name}")
            self.dead.append(parcel)
            return
        delay_ms = min(1000 * 2**parcel.retries, 60_000) * self._world.chance.uniform(0.5, 1)
        self._enqueue(Parcel(parcel.message, parcel.retries + 1), delay_ms)
