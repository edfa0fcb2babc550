"""One seed, lived and judged: what the test, the replay and the sweep share."""

from __future__ import annotations

import gc
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation import promises
from tests.simulation.hosts import Parts
from tests.simulation.stage import Stage, stage
from tests.simulation.world import ViolationError, World
from tests.support.redis_server import running, valkey_binary

_TAIL = 60


@dataclass(frozen=True, slots=True)
class Life:
    """How a seed went: its broken promises, none when all is well, and everything that happened."""

    seed: int
    problems: list[str]
    log: list[str]
    steps: int

    def __str__(self) -> str:
        told = [f"seed {self.seed}; live it again with: python -m tests.simulation {self.seed}"]
        return "\n".join([*told, *self.log[-_TAIL:], *self.problems])


def live(seed: int, on: Stage, parts: Parts | None = None) -> Life:
    """Live through `seed` and judge it."""
    world = World(seed, on, parts)
    try:
        last = world.run()
        problems = promises.problems(world, last)
    except ViolationError:
        problems = world.turns.violations
    finally:
        world.end()
    return Life(seed, problems, [f"weather: {world.weather}", *world.turns.log], world.turns.steps)


@contextmanager
def own_stage() -> Iterator[Stage]:
    """A stage with a server of its own, in a folder that does not stay."""
    with (
        running(valkey_binary()) as server,
        tempfile.TemporaryDirectory(prefix="rollcall-sim-") as folder,
        stage(Path(folder), server.url) as found,
        quick(),
    ):
        yield found


@contextmanager
def quick() -> Iterator[None]:
    """Spare what costs time and shows nothing: log records, and the collector's walks over what stays."""
    gc.collect()
    gc.freeze()
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        gc.unfreeze()
