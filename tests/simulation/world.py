"""One small world, determined by its seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random

from actors.dispatch import trigger_run
from actors.reconcile import bound_stored_times, reconcile
from actors.services import Services
from domain.errors import RollcallError
from domain.run import Run
from domain.section import Stagger
from resilience.breaker_policy import BreakerPolicy
from rollcall.settings import parse
from tests.simulation import scenario
from tests.simulation.broker import Broker
from tests.simulation.catalog import Catalog
from tests.simulation.environment import Environment
from tests.simulation.faults import Outage, Weather
from tests.simulation.hosts import Host, Parts, Process, make_services
from tests.simulation.ports import LostDatabaseError
from tests.simulation.scheduler import Interception, TaskScheduler
from tests.simulation.tasks import InterruptedTaskError, Task
from tests.simulation.timeline import Timeline
from tests.simulation.users import Users
from tests.support.harness import INSTALLATION

TICK_MS = 2_000
_SLOWEST_TICK_MS = 128_000
_MOST_STEPS = 40_000
_BOUNDS_EVERY_MS = 30_000
_LONGEST_REST_MS = (
    3 * 3_600_000
)  # above every wait that is legal: whatever happened, nothing hangs for longer
_EXPECTED = (RollcallError, LostDatabaseError, InterruptedTaskError)


class ViolationError(AssertionError):
    """An invariant was violated."""


class World:
    """The state of one seed. `run` executes it; `invariants.problems` verifies it."""

    def __init__(self, seed: int, environment: Environment, parts: Parts | None = None) -> None:
        self.seed = seed
        self.environment = environment
        self.parts = parts or Parts()
        self.chance = chance = Random(seed)  # noqa: S311 - reproducible
        self.timeline = Timeline()
        self.weather = Weather(chance, lambda: self.timeline.now_ms)
        self.scheduler = TaskScheduler(chance, self.timeline, self.weather)
        environment.begin(self.scheduler)
        self.policy = BreakerPolicy(chance.choice((3, 5, 10)), chance.choice((60, 120)), 3)
        self.cooldown = timedelta(seconds=chance.choice((0, 0, 600, 4000)))
        self.daily_cap = chance.choice((0, 0, 0, 2))
        self.settings = parse(
            INSTALLATION
            | {
                "RENOTIFY_COOLDOWN_SECONDS": f"{self.cooldown.total_seconds():.0f}",
                "MAIL_DAILY_CAP": str(self.daily_cap),
            }
        )
        self.chunk = chance.choice((2, 25, 25, 25))
        self.catalog = Catalog(self)
        # Drawn apart, so that the rest of a seed's life stays what it was.
        self.character = Random(f"character {seed}")  # noqa: S311
        kind = self.parts.provider
        self.provider = kind(self) if self.character.random() < 0.75 else kind.without_keys(self)
        self.broker = Broker(self)
        self.hosts = [Host(self, "north", chance.randint(-3000, 3000)), Host(self, "south", 0)]
        self.users = Users(self)
        self.calm_at_ms = 0
        self.is_known = False
        self._ticks: dict[Host, Task] = {}
        self._ticked_ms = 0
        self._last_need_ms: int | None = None
        self._tick_every_ms = TICK_MS
        self.greatest_skew_ms = max(abs(host.skew_ms) for host in self.hosts)
        self.has_stepped = False

    def services(self, host: Host) -> Services:
        return make_services(self, host)

    def run(self) -> Run | None:
        """Live through the script and its faults and come to rest; the run that follows in calm.

        That last run is made in half of the seeds, and wherever a clock was set: it costs time.
        """
        scenario.write(self)
        self.users.enrol()
        if self.is_known:
            self.catalog.make_known()
        self._live_until(self.calm_at_ms)
        self._calm_down()
        self._come_to_rest()
        if self.chance.random() < 0.5 and not self.has_stepped:
            return None
        if self.has_stepped:
            self._check_everything()  # the first to ask for a claim that a clock has stretched has it bounded
            self.calm_at_ms = self.timeline.now_ms
        self._live_until(self.calm_at_ms + 1_600_000)
        found = self._check_everything()
        self._come_to_rest()
        return found

    def start(
        self,
        process: Process,
        name: str,
        work: Callable[[], object],
        done: Callable[[Task], None] = lambda _: None,
    ) -> Task:
        """Let a process do some work, beside whatever else goes on."""
        task = Task(f"{process.host.name} {process.role} {name}", process, work)
        self.scheduler.begin(task, lambda ended: self._ended(ended, done))
        return task

    def trigger(self, process: Process, trigger: str, stagger: Stagger | None, *, force: bool) -> None:
        self.start(
            process,
            f"trigger {stagger}",
            lambda: trigger_run(process.services, trigger, stagger, force=force),
        )

    def act(self) -> None:
        """Let somebody do something through one of the hosts."""
        host = self.chance.choice(self.hosts)
        name, act = self.users.act(host)
        self.start(host.web, name, lambda: act(host.web.services))

    def flush_redis(self) -> None:
        self.scheduler.log_event("redis", "lost everything")
        self.environment.redis.flush()
        self.broker.flush()

    def note_step(self, whose: str, by_ms: int) -> None:
        """A clock was set by so much."""
        self.scheduler.log_event(whose, f"has its clock set by {by_ms / 1000:.0f} s")
        self.has_stepped = True
        skews = [abs(host.skew_ms) for host in self.hosts]
        self.greatest_skew_ms = max(self.greatest_skew_ms, *skews)

    def step_redis_clock(self, by_ms: int) -> None:
        self.environment.redis.step_clock(by_ms)
        self.note_step("redis", by_ms)

    def set_clocks_right(self) -> None:
        for host in self.hosts:
            if host.skew_ms != host.usual_skew_ms:
                host.step_clock(host.usual_skew_ms - host.skew_ms)
        if self.environment.redis.ahead_ms:
            self.step_redis_clock(-self.environment.redis.ahead_ms)

    def intercept_dispatcher(self) -> None:
        """Let a dispatcher pause on its way, its lease be gone meanwhile, and another run come."""
        chance, timeline, trouble = (
            self.chance,
            self.timeline,
            self.chance.choice((self.flush_redis, self.break_lease)),
        )

        def act(task: Task) -> None:
            task.process.host.pause()
            others = [host for host in self.hosts if not host.is_paused] or self.hosts
            for _ in range(chance.randint(1, 2)):
                process = chance.choice(others).web
                fire = partial(self.trigger, process, "http", Stagger.ALL, force=True)
                timeline.after(chance.uniform(0, 4_000), fire)
            timeline.after(chance.uniform(0, 3_000), trouble)

        self.scheduler.lie_in_wait(Interception("sections.dispatch", chance.randint(10, 40), act))

    def intercept_sender(self) -> None:
        """Let a sender pause on its way, often for longer than its claim lasts."""
        steps = self.character.randint(5, 40)
        self.scheduler.lie_in_wait(
            Interception("mail.deliver", steps, lambda task: task.process.host.pause())
        )

    def break_lease(self) -> None:
        """An operator releases the cron lease of its holder."""
        host = self.chance.choice(self.hosts)
        self.start(host.web, "break lease", lambda: host.web.services.cron_lease.force_release("operator"))

    def tick(self, host: Host) -> None:
        """One tick of a host's scheduler, unless the one before still goes on."""
        if self._can_tick(host):
            self._ticked_ms = self.timeline.now_ms
            self._ticks[host] = self.start(host.scheduler, "tick", lambda: self._tick(host))

    def _can_tick(self, host: Host) -> bool:
        before = self._ticks.get(host)
        return not host.is_paused and (before is None or before.is_done or before.is_dead)

    def _tick(self, host: Host) -> None:
        self.scheduler.pause("sweep")
        if self.has_stepped:
            bound_stored_times(host.scheduler.services)
        if not self.weather.lasts(Outage.BROKER):
            reconcile(host.scheduler.services, self.broker.depths())

    def _ended(self, task: Task, done: Callable[[Task], None]) -> None:
        error = task.error
        self.scheduler.log_event(task, "ended" if error is None else f"ended by {error!r}")
        if error is not None and not isinstance(error, _EXPECTED):
            self.scheduler.record_violation(f"{task.name} failed unexpectedly: {error!r}")
            raise ViolationError(str(self.scheduler.violations)) from error
        done(task)

    def _live_until(self, end_ms: int) -> None:
        while True:
            self._plan_tick(end_ms)
            next_ms = self.timeline.next_ms
            if next_ms is None or next_ms > end_ms:
                break
            self._step()
        self.timeline.now_ms = max(end_ms, self.timeline.now_ms)

    def _come_to_rest(self) -> None:
        end_ms = self.timeline.now_ms + _LONGEST_REST_MS
        while self._is_busy():
            self._plan_tick(end_ms)
            if self.timeline.next_ms is None or self.timeline.next_ms > end_ms:
                self.scheduler.record_violation("it does not come to rest")
                break
            self._step()
        self._raise_violations()

    def _step(self) -> None:
        self.timeline.step()
        if self.scheduler.steps > _MOST_STEPS:
            self.scheduler.record_violation("it does not come to rest")
        self._raise_violations()

    def _raise_violations(self) -> None:
        if self.scheduler.violations:
            raise ViolationError("; ".join(self.scheduler.violations))

    def _is_busy(self) -> bool:
        tasks = any(p.tasks for host in self.hosts for p in (host.worker, host.scheduler, host.web))
        return (
            tasks
            or bool(self.broker.unfinished)
            or self.environment.need_ms(self.broker.depths()) is not None
        )

    def _plan_tick(self, end_ms: int) -> None:
        """Let a scheduler tick when that will find something; between, its ticks would change nothing."""
        now_ms, next_ms = self.timeline.now_ms, self.timeline.next_ms
        if next_ms is not None and next_ms < now_ms + TICK_MS:
            return
        hosts = [host for host in self.hosts if self._can_tick(host)]
        need_ms = self.environment.need_ms(self.broker.depths()) if hosts else None
        if need_ms is None:
            return
        host = self.chance.choice(hosts)
        if self.has_stepped:
            need_ms = min(need_ms, now_ms + host.skew_ms + _BOUNDS_EVERY_MS)
        fruitless = need_ms == self._last_need_ms
        wait_ms = min(4 * self._tick_every_ms, _SLOWEST_TICK_MS) if fruitless else TICK_MS
        at_ms = max(self._ticked_ms + wait_ms, need_ms - host.skew_ms, now_ms + 1)
        if at_ms <= min(end_ms, end_ms if next_ms is None else next_ms):
            self._tick_every_ms, self._last_need_ms = wait_ms, need_ms
            self.timeline.at(at_ms, lambda: self.tick(host))

    def _calm_down(self) -> None:
        self.scheduler.log_event("world", "calm from here on")
        self.weather.is_calm = True
        self.set_clocks_right()
        for host in self.hosts:
            host.paused_until_ms = min(host.paused_until_ms, self.timeline.now_ms)
        self.broker.hand_out()

    def _check_everything(self) -> Run:
        """One more run when every claim and lease of the bad times has ended."""
        process, found = self.hosts[1].web, []
        self.start(
            process,
            "last trigger",
            lambda: found.append(trigger_run(process.services, "last", Stagger.ALL, force=True)[0]),
        )
        self._come_to_rest()
        run = process.services.store.runs.get(found[0].id)
        assert run is not None
        return run

    def end(self) -> None:
        """Let go of what is still in work."""
        for host in self.hosts:
            for process in (host.worker, host.scheduler, host.web):
                for task in list(process.tasks):
                    self.scheduler.kill(task)
        self.environment.database.scheduler = self.environment.redis.scheduler = None
