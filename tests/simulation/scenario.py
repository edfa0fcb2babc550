"""What a seed has in store: a campus, cycles of checks, moves between them, and the faults' times."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from domain.section import SectionKey, Stagger
from tests.simulation.catalog import ENDED_TERM, PEOPLE, Truth
from tests.simulation.faults import Outage
from tests.simulation.timeline import START_MS

if TYPE_CHECKING:
    from tests.simulation.world import World

_HALF_HOUR_MS = 1_800_000


def write(world: World) -> None:
    """Plan everything on the world's timeline."""
    chance = world.chance
    is_one_gone = chance.random() < 0.08  # which takes many sections and many cycles to be believed
    for number in range(12430, 12430 + chance.choice((5, 6) if is_one_gone else (3, 3, 3, 4, 5))):
        truth = Truth(chance.choice((0, 0, 0, 0, 1, 2, None)), chance.choice(PEOPLE))
        if chance.random() < 0.3:
            truth.is_roomy, truth.open_seats = True, 1
        truth.is_reserving = chance.random() < 0.3
        world.catalog.truth[SectionKey("scraper", "2261", str(number))] = truth
    ended = _plan_ended_term(world) if is_one_gone and chance.random() < 0.5 else []
    at_ms, cycles = START_MS - 60_000, []
    world.is_known = chance.random() < 0.8
    count = (
        4 if is_one_gone or chance.random() < 0.08 else chance.choice((1, 2, 2) if world.is_known else (2, 3))
    )
    for cycle in range(count):
        before_ms = at_ms
        is_slot = cycle > 0 and chance.random() < 0.3
        at_ms = _plan_slot(world, at_ms) if is_slot else _plan_forced(world, at_ms)
        if cycle > 0 or world.is_known:
            _plan_moves(world, before_ms, at_ms)
        if is_one_gone and cycle == 1:
            listed = [key for key in world.catalog.truth if key not in ended]
            for key in (chance.choice(listed), *ended):
                world.timeline.at(at_ms - 1, partial(world.catalog.remove, key))
        cycles.append(at_ms)
    world.calm_at_ms = at_ms + chance.choice((1_000, 30_000, 300_000, 900_000))
    _plan_troubles(world, cycles)


def _plan_ended_term(world: World) -> list[SectionKey]:
    """Sections of a term that goes as a whole, and must neither retire nor hide what another term cancels."""
    keys = [SectionKey("scraper", ENDED_TERM, str(number)) for number in range(11430, 11435)]
    for key in keys:
        world.catalog.truth[key] = Truth(world.chance.choice((0, 1)), world.chance.choice(PEOPLE))
    return keys


def _plan_slot(world: World, after_ms: int) -> int:
    """The next slot: both schedulers trigger it by their own clocks, and perhaps somebody by HTTP."""
    chance, timeline = world.chance, world.timeline
    at_ms = (after_ms // _HALF_HOUR_MS + 1) * _HALF_HOUR_MS
    stagger = Stagger.ODD if at_ms // _HALF_HOUR_MS % 2 else Stagger.EVEN
    for host in world.hosts:
        fire = partial(world.trigger, host.scheduler, "schedule", stagger, force=False)
        timeline.at(at_ms - host.skew_ms + chance.randint(0, 20), fire)
    if chance.random() < 0.4:
        process = chance.choice(world.hosts).web
        again = partial(world.trigger, process, "http", chance.choice((None, stagger)), force=False)
        timeline.at(at_ms + chance.randint(0, 5_000), again)
    _perhaps_tick(world, at_ms)
    return at_ms + 3_000


def _plan_forced(world: World, after_ms: int) -> int:
    """A run that somebody forces at any time, perhaps twice at once."""
    chance = world.chance
    at_ms = after_ms + round(1000 * float(3_600 ** chance.uniform(0.5, 1)))
    for _ in range(chance.choice((1, 1, 1, 1, 2))):
        stagger = chance.choice((Stagger.ALL, Stagger.ALL, Stagger.ALL, Stagger.EVEN, Stagger.ODD))
        fire = partial(world.trigger, chance.choice(world.hosts).web, "http", stagger, force=True)
        world.timeline.at(at_ms + chance.randint(0, 200), fire)
    _perhaps_tick(world, at_ms)
    return at_ms


def _perhaps_tick(world: World, at_ms: int) -> None:
    if world.chance.random() < 0.3:
        host = world.chance.choice(world.hosts)
        world.timeline.at(at_ms + world.chance.randint(0, 8_000), partial(world.tick, host))


def _plan_moves(world: World, from_ms: int, to_ms: int) -> None:
    chance = world.chance
    for key in world.catalog.truth:
        if chance.random() < 0.9:
            world.timeline.at(chance.randint(from_ms, to_ms), partial(world.catalog.move, key))
    if chance.random() < 0.35:
        world.timeline.at(chance.randint(from_ms, to_ms + 60_000), world.act)


def _plan_troubles(world: World, cycles: list[int]) -> None:
    """Most troubles begin about when something happens: at other times they would have no effect."""
    chance, timeline = world.chance, world.timeline
    for outage in world.weather.outages:
        at_ms = chance.choice(cycles) + chance.randint(-30_000, 60_000)
        timeline.at(at_ms, partial(_begin, world, outage))
    if chance.random() < 0.12:
        world.intercept_dispatcher()
    if world.character.random() < 0.2:
        world.intercept_sender()
    if world.character.random() < 0.15:
        _plan_clock_steps(world, cycles)
    for act, probability in ((world.flush_redis, 0.15), (world.break_lease, 0.1)):
        if chance.random() < probability:
            timeline.at(chance.choice(cycles) + round(60_000 ** chance.random()), act)


def _plan_clock_steps(world: World, cycles: list[int]) -> None:
    """Clocks that are wrong by seconds or by days, either way, and set right while a run is under way.

    What a clock stamps matters while something waits for it: so there is often an outage besides, or a
    dispatcher that stops on its way.
    """
    chance, timeline = world.character, world.timeline
    for _ in range(chance.choice((1, 1, 2))):
        step = chance.choice((world.step_redis_clock, *(host.step_clock for host in world.hosts)))
        longest_seconds = chance.choice((60, 172_800, 172_800))
        by_ms = chance.choice((-1, 1, 1)) * round(1000 * float(longest_seconds ** chance.uniform(0.6, 1)))
        cycle_ms = chance.choice(cycles)
        timeline.at(cycle_ms - chance.randint(0, 60_000), partial(_step, world, step, by_ms))
        if chance.random() < 0.8:
            right_ms = cycle_ms + round(float(300_000 ** chance.uniform(0.5, 1)))
            timeline.at(right_ms, partial(_step, world, step, -by_ms))
        if chance.random() < 0.7:
            outages = (Outage.SOURCE, Outage.MAIL, Outage.BROKER)
            outage = Outage.SOURCE if step == world.step_redis_clock else chance.choice(outages)
            timeline.at(cycle_ms - 1_000, partial(_begin, world, outage))
    if chance.random() < 0.3:
        world.intercept_dispatcher()


def _step(world: World, step: Callable[[int], None], by_ms: int) -> None:
    if not world.weather.is_calm:
        step(by_ms)


def _begin(world: World, outage: Outage) -> None:
    lasts_ms = world.weather.begin(outage)
    world.scheduler.log_event(outage, f"is away for {lasts_ms / 1000:.0f} s")
