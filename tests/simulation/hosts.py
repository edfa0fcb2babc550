"""Two hosts whose clocks disagree, each with processes that hold the real services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from actors.services import Services
from observability.recorders import Recorder
from resilience.breaker import CircuitBreaker
from resilience.lease import Lease
from rollcall.wiring import Overrides, build_services
from store.repositories import Store
from tests.simulation.ports import ServerNow
from tests.simulation.provider import Provider
from tests.simulation.tasks import Task

if TYPE_CHECKING:
    from tests.simulation.world import World

THREADS = 2


@dataclass(frozen=True)
class Parts:
    """What the services are made of; a broken build takes another class for one of them."""

    store: Callable[[Store, World], Store] = lambda store, _: store
    breaker: type[CircuitBreaker] = CircuitBreaker
    lease: type[Lease] = Lease
    provider: type[Provider] = Provider


@dataclass(frozen=True)
class HostClock:
    """The time as one host believes it to be."""

    host: Host

    def now(self) -> datetime:
        return datetime.fromtimestamp((self.host.world.timeline.now_ms + self.host.skew_ms) / 1000, UTC)


class Process:
    """One process: a crash ends all its tasks at once, and what it kept in memory is gone."""

    def __init__(self, host: Host, role: str) -> None:
        self.host = host
        self.role = role
        self.tasks: dict[Task, Callable[[Task], None]] = {}

    @cached_property
    def services(self) -> Services:
        return self.host.world.services(self.host)

    def crash(self) -> None:
        world = self.host.world
        world.scheduler.log_event(f"{self.host.name} {self.role}", "crashed")
        tasks, self.tasks = list(self.tasks), {}
        self.__dict__.pop("services", None)
        for task in tasks:
            world.scheduler.kill(task)
        world.broker.give_back(tasks)


class Host:
    """A machine: while it is paused, nothing of it goes on, and others take it for dead."""

    def __init__(self, world: World, name: str, skew_ms: int) -> None:
        self.world = world
        self.name = name
        self.usual_skew_ms = self.skew_ms = skew_ms
        self.clock = HostClock(self)
        self.paused_until_ms = 0
        self.worker = Process(self, "worker")
        self.scheduler = Process(self, "scheduler")
        self.web = Process(self, "web")

    @property
    def is_paused(self) -> bool:
        return self.paused_until_ms > self.world.timeline.now_ms

    @property
    def free_threads(self) -> int:
        return 0 if self.is_paused else THREADS - len(self.worker.tasks)

    def step_clock(self, by_ms: int) -> None:
        """Somebody, or a service, sets the clock."""
        self.skew_ms += by_ms
        self.world.note_step(self.name, by_ms)

    def pause(self) -> None:
        """Stop for a moment, for longer than the reaper waits, or for longer than any lease lasts."""
        if self.is_paused:
            return
        chance, timeline = self.world.chance, self.world.timeline
        seconds = chance.choice([chance.uniform(1, 15), chance.uniform(20, 200), chance.uniform(1400, 2500)])
        self.paused_until_ms = timeline.now_ms + round(1000 * seconds)
        self.world.scheduler.log_event(self.name, f"paused for {seconds:.0f} s")
        self.world.broker.give_back(list(self.worker.tasks), unless=lambda: not self.is_paused)
        timeline.at(self.paused_until_ms, self.world.broker.hand_out)


def make_services(world: World, host: Host) -> Services:
    """The real graph, over the ports of the world."""
    environment, parts = world.environment, world.parts
    given = Overrides(
        clock=host.clock,
        now_ms=lambda: ServerNow(world.timeline.now_ms),
        prefix=environment.prefix,
        sources={world.catalog.name: world.catalog.seen_from(host)},
        mailer=world.provider,
        policy=world.policy,
        store=lambda store: parts.store(store, world),
        breaker=parts.breaker,
        lease=parts.lease,
        wait=lambda seconds: world.scheduler.pause("wait", 1000 * seconds),
    )
    publish = world.broker.publish
    return build_services(world.settings, environment.database, environment.redis, publish, given, Recorder())
