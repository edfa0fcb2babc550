from __future__ import annotations

from bench.realtime import spread


def test_a_spread_is_reported_by_its_middle_and_its_end() -> None:
    assert spread("start", [0.01 * number for number in range(50, 0, -1)]) == {
        "start_p50_seconds": 0.26,
        "start_p99_seconds": 0.5,
    }
    assert spread("steps", [2.0]) == {"steps_p50_seconds": 2.0, "steps_p99_seconds": 2.0}
