"""Runs and verifies one seed, for the test, the replay and the sweep."""

from __future__ import annotations

import gc
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation import invariants
from tests.simulation.environment import Environment, open_environment
from tests.simulation.hosts import Parts
from tests.simulation.world import ViolationError, World
from tests.support.redis_server import running, valkey_binary

_TAIL = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a seed: its violated invariants, and the log of all events."""

    seed: int
    problems: list[str]
    log: list[str]
    steps: int

    def __str__(self) -> str:
        text = [f"seed {self.seed}; replay it with: python -m tests.simulation {self.seed}"]
        return "\n".join([*text, *self.log[-_TAIL:], *self.problems])


def simulate(seed: int, on: Environment, parts: Parts | None = None) -> Outcome:
    """Run `seed` and verify the invariants."""
    world = World(seed, on, parts)
    try:
        last = world.run()
        problems = invariants.problems(world, last)
    except ViolationError:
        problems = world.scheduler.violations
    finally:
        world.end()
    return Outcome(seed, problems, [f"faults: {world.weather}", *world.scheduler.log], world.scheduler.steps)


@contextmanager
def temporary_environment() -> Iterator[Environment]:
    """An environment with its own server, in a temporary folder."""
    with (
        running(valkey_binary()) as server,
        tempfile.TemporaryDirectory(prefix="rollcall-sim-") as folder,
        open_environment(Path(folder), server.url) as found,
        quick(),
    ):
        yield found


@contextmanager
def quick() -> Iterator[None]:
    """Disable logging, and exempt existing objects from garbage collection."""
    gc.collect()
    gc.freeze()
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        gc.unfreeze()
