from __future__ import annotations

from bench.replay.faults import Faults


def test_without_a_ratio_nothing_fails() -> None:
    faults = Faults()
    assert {faults.draw() for _ in range(1000)} == {None}


def test_the_ratio_is_kept_and_every_kind_comes() -> None:
    faults = Faults(ratio=0.1, seed=1)
    drawn = [faults.draw() for _ in range(10_000)]
    assert 900 < sum(fault is not None for fault in drawn) < 1100
    assert set(drawn) == {None, "error", "hang", "cut_off"}


def test_the_same_seed_fails_alike() -> None:
    one, other = Faults(ratio=0.5, seed=7), Faults(ratio=0.5, seed=7)
    assert [one.draw() for _ in range(100)] == [other.draw() for _ in range(100)]
