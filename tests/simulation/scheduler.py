"""The scheduler of the tasks: each paused task resumes at a random time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.simulation.faults import Fault, Weather
from tests.simulation.tasks import InterruptedTaskError, KilledError, Task, current
from tests.simulation.timeline import Timeline


@dataclass
class Interception:
    """An action when tasks with `name` in their names have made `steps` steps."""

    name: str
    steps: int
    act: Callable[[Task], None]


class TaskScheduler:
    """Runs tasks from one pause to the next; `log` holds every event."""

    def __init__(self, chance: Random, timeline: Timeline, weather: Weather) -> None:
        self.chance = chance
        self.timeline = timeline
        self.weather = weather
        self.log: list[str] = []
        self.steps = 0
        self.violations: list[str] = []
        self._interceptions: list[Interception] = []

    def begin(self, task: Task, done: Callable[[Task], None]) -> None:
        """Start `task` soon; call `done` when it ends, unless it is killed."""
        task.process.tasks[task] = done
        self.timeline.after(self._latency_ms(), lambda: self._resume(task))

    def pause(self, label: str, for_ms: float = 0) -> None:
        """Yield to other tasks for at least `for_ms`. Raises the fault that interrupts the task."""
        task = current()
        if task is None:
            return
        if task.is_dead:
            raise KilledError
        self.log_event(task, label)
        self.timeline.after(for_ms + self._latency_ms(), lambda: self._resume(task))
        parent = task.parent
        assert parent is not None
        parent.switch()

    def kill(self, task: Task) -> None:
        """Kill the task at its current pause."""
        task.is_dead = True
        if task.gr_frame is not None:
            task.throw(KilledError())

    def log_event(self, who: object, what: str) -> None:
        self.log.append(f"{self.timeline.now_ms} {getattr(who, 'name', who)}: {what}")

    def record_violation(self, text: str) -> None:
        """Record a violated invariant; the world ends at the next step."""
        self.log_event("VIOLATION", text)
        self.violations.append(text)

    def lie_in_wait(self, interception: Interception) -> None:
        self._interceptions.append(interception)

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
            self.log_event(task, "interrupted")
            task.throw(InterruptedTaskError())
        else:
            task.switch()
        if task.is_done and not task.is_dead:
            done = task.process.tasks.pop(task)
            done(task)

    def _spring(self, task: Task) -> None:
        for interception in [] if self.weather.is_calm else self._interceptions:
            if interception.name in task.name:
                interception.steps -= 1
                if interception.steps == 0:
                    interception.act(task)

    def _latency_ms(self) -> float:
        if self.weather.strikes(Fault.SLOW):
            return float(1000 * 90 ** self.chance.random())
        return float(300 ** self.chance.random())
