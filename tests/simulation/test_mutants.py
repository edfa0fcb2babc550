"""The simulation must be able to fail: broken builds, none of which gets past it."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.simulation.environment import Environment
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.simulation import simulate

# The seeds that have shown a flaw come first; after a change of the code their schedules are others, and the
# flaw is searched for again.
MOST_SEEDS = 1000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.flaw)
def test_a_build_that_is_broken_on_purpose_is_caught(mutant: Mutant, environment: Environment) -> None:
    seeds = chain(mutant.seeds, range(MOST_SEEDS))
    assert any(_is_caught(seed, mutant, environment) for seed in seeds), (
        f"no invariant detects that it {mutant.flaw}"
    )


def _is_caught(seed: int, mutant: Mutant, environment: Environment) -> bool:
    return any(mutant.complaint in problem for problem in simulate(seed, environment, mutant.parts).problems)
