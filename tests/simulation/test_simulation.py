"""Thousands of small worlds, each with faults of its own, in all of which every promise must hold.

A broken one tells its seed, and how to live it again. ROLLCALL_TEST_SEEDS makes it more or fewer seeds, and
`python -m bench.simulate` looks for rarer things.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.life import live
from tests.simulation.stage import Stage

SEEDS = int(os.environ.get("ROLLCALL_TEST_SEEDS", "5000"))
BLOCK = 100


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_every_promise_holds_whatever_fails_and_anyone_who_goes_first(first: int, scene: Stage) -> None:
    for seed in range(first, min(first + BLOCK, SEEDS)):
        life = live(seed, scene)
        assert not life.problems, str(life)


def test_a_seed_lives_the_same_life_again(scene: Stage) -> None:
    lives = [_without_names(live(seed, scene).log) for seed in (7, 7)]
    assert lives[0] == lives[1]


def _without_names(log: list[str]) -> list[str]:
    """Runs are named at random, which decides nothing."""
    return [" ".join(line.split()[:4]).partition("(")[0] for line in log]
