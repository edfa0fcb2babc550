from __future__ import annotations

from bench.chaos.figures import bounded, percentiles


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([float(n) for n in range(1, 201)]) == {"p50": 100.0, "p99": 198.0, "max": 200.0}


def test_one_value_is_every_percentile() -> None:
    assert percentiles([7.0]) == {"p50": 7.0, "p99": 7.0, "max": 7.0}


def test_of_nothing_there_are_no_percentiles() -> None:
    assert percentiles([]) == {}


def test_a_trial_beyond_the_bound_is_said_to_be() -> None:
    assert bounded([61.25, 99.0, None], 240) == {"p50": "99.0 s", "p99": "> 240 s", "max": "> 240 s"}
