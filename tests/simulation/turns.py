"""Who goes on: each task that stops is given a time by chance, and the earliest is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.simulation.faults import Fault, Weather
from tests.simulation.tasks import InterruptedTaskError, KilledError, Task, current
from tests.simulation.timeline import Timeline


@dataclass
class Ambush:
    """Something that happens when tasks with `name` in their names have gone on `steps` times."""

    name: str
    steps: int
    act: Callable[[Task], None]


class Turns:
    """Lets tasks run from one place to the next; `tell` keeps what happens for people to read."""

    def __init__(self, chance: Random, timeline: Timeline, weather: Weather) -> None:
        self.chance = chance
        self.timeline = timeline
        self.weather = weather
        self.log: list[str] = []
        self.steps = 0
        self.violations: list[str] = []
        self._ambushes: list[Ambush] = []

    def begin(self, task: Task, done: Callable[[Task], None]) -> None:
        """Let `task` start soon; `done` hears of its end, unless it is killed."""
        task.process.tasks[task] = done
        self.timeline.after(self._latency_ms(), lambda: self._resume(task))

    def pause(self, label: str, for_ms: float = 0) -> None:
        """Called by a task: let others go first, for `for_ms` at least. Raises what strikes it meanwhile."""
        task = current()
        if task is None:
            return
        if task.is_dead:
            raise KilledError
        self.tell(task, label)
        self.timeline.after(for_ms + self._latency_ms(), lambda: self._resume(task))
        parent = task.parent
        assert parent is not None
        parent.switch()

    def kill(self, task: Task) -> None:
        """End it where it stands."""
        task.is_dead = True
        if task.gr_frame is not None:
            task.throw(KilledError())

    def tell(self, who: object, what: str) -> None:
        self.log.append(f"{self.timeline.now_ms} {getattr(who, 'name', who)}: {what}")

    def violate(self, told: str) -> None:
        """Note that a promise was broken; the world ends at the next step."""
        self.tell("VIOLATION", told)
        self.violations.append(told)

    def lie_in_wait(self, ambush: Ambush) -> None:
        self._ambushes.append(ambush)

    def _resume(self, task: Task) -> None:
        if task.is_dead or task.is_done:
            return
        self.steps += 1
        host = task.process.host
        if host.is_paused:
            self.timeline.at(host.paused_until_ms, lambda: self._resume(task))
            return
        self._spring(task)
        if self.weather.strikes(Fault.CRASH):
            task.process.crash()
            return
        if host.is_paused or self.weather.strikes(Fault.PAUSE):
            host.pause()
            self.timeline.at(host.paused_until_ms, lambda: self._resume(task))
            return
        if self.weather.strikes(Fault.INTERRUPT) and task.gr_frame is not None:
            self.tell(task, "interrupted")
            task.throw(InterruptedTaskError())
        else:
            task.switch()
        if task.is_done and not task.is_dead:
            done = task.process.tasks.pop(task)
            done(task)

    def _spring(self, task: Task) -> None:
        for ambush in [] if self.weather.is_calm else self._ambushes:
            if ambush.name in task.name:
                ambush.steps -= 1
                if ambush.steps == 0:
                    ambush.act(task)

    def _latency_ms(self) -> float:
        if self.weather.strikes(Fault.SLOW):
            return float(1000 * 90 ** self.chance.random())
        return float(300 ** self.chance.random())
