"""The simulation can fail: each broken build is noticed, in a seed that is known to do it."""

from __future__ import annotations

import pytest

from tests.simulation.life import live
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.stage import Stage

CAUGHT_BY = (2, 48, 106, 21, 74, 215)


@pytest.mark.parametrize(
    ("mutant", "seed"), list(zip(MUTANTS, CAUGHT_BY, strict=True)), ids=[mutant.flaw for mutant in MUTANTS]
)
def test_a_broken_build_is_noticed(mutant: Mutant, seed: int, scene: Stage) -> None:
    problems = live(seed, scene, mutant.parts).problems
    assert any(mutant.complaint in problem for problem in problems), problems
