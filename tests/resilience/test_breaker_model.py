from __future__ import annotations

import pytest

from resilience.breaker_model import BreakerModel
from resilience.breaker_policy import BreakerPolicy

POLICY = BreakerPolicy(failure_threshold=3, recovery_seconds=120, success_threshold=2, probe_seconds=60)


def tripped(at_ms: int = 0) -> BreakerModel:
    circuit = BreakerModel(POLICY)
    circuit.record(0, "a", [False] * 3, at_ms)
    return circuit


def test_a_closed_circuit_permits_everything() -> None:
    assert BreakerModel(POLICY).permit(1000, "a", 0).granted == 1000


def test_a_success_resets_the_count_and_an_excluded_outcome_does_not() -> None:
    circuit = BreakerModel(POLICY)
    circuit.record(0, "a", [False, False, True, False, None, False], 0)
    assert (circuit.state, circuit.failures) == ("closed", 2)
    circuit.record(0, "a", [None, False], 0)
    assert circuit.state == "open"


def test_an_open_circuit_returns_the_time_until_it_recovers() -> None:
    grant = tripped(at_ms=1000).permit(5, "b", 31_000)
    assert (grant.granted, grant.retry_after_ms) == (0, 90_000)


def test_half_open_leases_no_more_probes_than_it_needs_successes() -> None:
    circuit = tripped()
    assert circuit.permit(10, "b", 120_000).granted == 2
    refused = circuit.permit(1, "c", 130_000)
    assert (refused.granted, refused.retry_after_ms) == (0, 50_000)


def test_the_slot_of_a_crashed_prober_is_free_when_its_lease_ends() -> None:
    circuit = tripped()
    circuit.permit(2, "b", 120_000)
    assert circuit.permit(2, "c", 180_000).granted == 2


def test_a_success_after_its_lease_does_not_count_but_a_failure_does() -> None:
    circuit = tripped()
    grant = circuit.permit(2, "b", 120_000)
    circuit.record(grant.generation, "b", [True], 180_000)
    assert circuit.successes == 0
    circuit.record(grant.generation, "b", [None, False], 180_000)
    assert circuit.state == "open"


def test_an_excluded_outcome_frees_its_probe_slot() -> None:
    circuit = tripped()
    grant = circuit.permit(2, "b", 120_000)
    circuit.record(grant.generation, "b", [None, True], 121_000)
    assert circuit.permit(5, "c", 121_000).granted == 1


def test_enough_successes_close_it_with_its_counts_at_zero() -> None:
    circuit = tripped()
    grant = circuit.permit(2, "b", 120_000)
    circuit.record(grant.generation, "b", [True, True], 121_000)
    assert (circuit.state, circuit.failures, circuit.successes) == ("closed", 0, 0)


def test_one_failed_probe_opens_it_for_another_full_recovery() -> None:
    circuit = tripped()
    grant = circuit.permit(2, "b", 120_000)
    circuit.record(grant.generation, "b", [True, False], 125_000)
    assert (circuit.state, circuit.read(125_000).retry_after_seconds) == ("open", 120)


def test_a_late_failure_of_an_earlier_request_does_not_end_half_open() -> None:
    circuit = tripped()
    circuit.permit(2, "b", 120_000)
    circuit.record(0, "a", [False] * 10, 121_000)
    assert circuit.state == "half_open"


def test_forced_closed_it_counts_failures_and_stays_closed() -> None:
    circuit = BreakerModel(POLICY)
    circuit.apply("force_closed", "ops", 0)
    grant = circuit.permit(50, "a", 0)
    circuit.record(grant.generation, "a", [False] * 50, 0)
    assert (grant.granted, circuit.state, circuit.failures) == (50, "closed", 50)


@pytest.mark.parametrize("recovery_seconds", [0, 120])
def test_forced_open_it_stays_open_beyond_its_recovery_until_it_is_reset(recovery_seconds: float) -> None:
    circuit = BreakerModel(BreakerPolicy(recovery_seconds=recovery_seconds))
    circuit.apply("force_open", "ops", 0)
    assert circuit.permit(1, "a", 10**9).granted == 0
    circuit.apply("reset", "ops", 10**9)
    assert circuit.permit(1, "a", 10**9).granted == 1


def test_opening_and_half_opening_by_hand_keep_the_count_of_failures_and_end_a_forced_state() -> None:
    circuit = BreakerModel(POLICY)
    circuit.record(0, "a", [False, False], 0)
    circuit.apply("half_open", "ops", 0)
    assert (circuit.state, circuit.failures) == ("half_open", 2)
    circuit.apply("force_open", "ops", 0)
    circuit.apply("open", "ops", 0)
    assert (circuit.forced, circuit.permit(1, "b", 119_999).granted) == (None, 0)
    assert circuit.permit(1, "b", 120_000).granted == 1


def test_reading_an_open_circuit_whose_recovery_is_over_leaves_it_open() -> None:
    reading = tripped().read(500_000)
    assert (reading.state, reading.retry_after_seconds) == ("open", 0)


def test_a_lowered_threshold_leaves_a_slot_while_half_open() -> None:
    circuit = tripped()
    grant = circuit.permit(1, "b", 120_000)
    circuit.record(grant.generation, "b", [True], 120_000)
    circuit.policy = BreakerPolicy(success_threshold=1)
    assert circuit.permit(1, "c", 120_000).granted == 1


def test_an_unusable_policy_is_rejected() -> None:
    with pytest.raises(ValueError, match="cannot work"):
        BreakerPolicy(success_threshold=0)


DAY_MS = 86_400_000


def test_a_clock_set_back_by_a_day_does_not_prolong_the_recovery() -> None:
    circuit = tripped(at_ms=DAY_MS)
    assert circuit.read(0).retry_after_seconds == 120
    assert circuit.permit(1, "b", 0).retry_after_ms == 120_000
    assert circuit.permit(1, "c", 60_000).retry_after_ms == 60_000
    assert circuit.permit(1, "d", 120_000).granted == 1


def test_probes_from_before_the_clock_was_set_back_free_their_slots_in_time() -> None:
    circuit = tripped(at_ms=DAY_MS)
    circuit.permit(2, "b", DAY_MS + 120_000)
    assert circuit.permit(2, "c", 0).retry_after_ms == 60_000
    assert circuit.permit(2, "d", 60_000).granted == 2
