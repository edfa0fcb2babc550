"""The Lua against its model: whatever happens, Redis and `Circuit` agree."""

from __future__ import annotations

from uuid import uuid4

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from resilience.circuit import BreakerPolicy, Circuit, Forced, Grant
from resilience.fleet import FleetCircuit

START_MS = 1_750_000_000_000
Issued = tuple[Grant, str]


class Agreement(RuleBasedStateMachine):
    """Three clients of one breaker in Redis, beside the model, on one clock that the rules move."""

    permits: Bundle[Issued] = Bundle("permits")

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.latest: Issued | None = None
        self.tokens = 0

    @initialize(
        failure_threshold=st.integers(1, 4),
        recovery_seconds=st.sampled_from([0, 0.5, 120]),
        success_threshold=st.integers(1, 3),
        probe_seconds=st.sampled_from([0.5, 60]),
    )
    def begin(
        self,
        failure_threshold: int,
        recovery_seconds: float,
        success_threshold: int,
        probe_seconds: float,
    ) -> None:
        policy = BreakerPolicy(failure_threshold, recovery_seconds, success_threshold, probe_seconds)
        prefix = uuid4().hex
        self.model = Circuit(policy)
        self.fleet = [
            FleetCircuit(self.client, "b", policy, prefix=prefix, now_ms=lambda: self.now_ms)
            for _ in range(3)
        ]

    @rule(target=permits, process=st.integers(0, 2), n=st.integers(0, 5))
    def permit(self, process: int, n: int) -> Issued:
        return self._permit(process, n)

    @rule(
        permit=permits,
        process=st.integers(0, 2),
        outcomes=st.lists(st.sampled_from([True, True, False, None]), max_size=5),
    )
    def record(self, permit: Issued, process: int, outcomes: list[bool | None]) -> None:
        """At once, late, twice, or by nobody at all: the permit of a crashed prober is never drawn."""
        grant, token = permit
        expected = self.model.record(grant.generation, token, outcomes, self.now_ms)
        assert self.fleet[process].record(grant.generation, token, outcomes) == expected

    @rule(target=permits, process=st.integers(0, 2))
    def trip(self, process: int) -> Issued:
        permit = self._permit(process, self.model.policy.failure_threshold)
        self.record(permit, process, [False] * permit[0].granted)
        return permit

    @rule(target=permits, process=st.integers(0, 2), n=st.integers(1, 3))
    def probe(self, process: int, n: int) -> Issued:
        self.now_ms += self.model.policy.recovery_ms
        self.latest = self._permit(process, n)
        return self.latest

    @precondition(lambda self: self.latest)
    @rule(process=st.integers(0, 2), outcomes=st.lists(st.sampled_from([True, True, None]), max_size=3))
    def settle_latest_probe(self, process: int, outcomes: list[bool | None]) -> None:
        assert self.latest
        self.record(self.latest, process, outcomes)

    @rule(steps=st.sampled_from(["probe", "recovery", "neither"]), offset_ms=st.integers(-1, 1))
    def wait(self, steps: str, offset_ms: int) -> None:
        """To the very edge of a lease's end or of the recovery, or just before or after it."""
        policy = self.model.policy
        step_ms = {"probe": policy.probe_ms, "recovery": policy.recovery_ms, "neither": 1}[steps]
        self.now_ms += max(0, step_ms + offset_ms)

    @rule(process=st.integers(0, 2), forced=st.sampled_from(["open", "closed", None, None]))
    def force(self, process: int, forced: Forced | None) -> None:
        assert self.fleet[process].force(forced, "ops") == self.model.force(forced, "ops", self.now_ms)

    @rule(process=st.integers(0, 2))
    def read(self, process: int) -> None:
        assert self.fleet[process].read() == self.model.read(self.now_ms)

    def _permit(self, process: int, n: int) -> Issued:
        self.tokens += 1
        token = f"token-{self.tokens}"
        grant = self.model.permit(n, token, self.now_ms)
        assert self.fleet[process].permit(n, token) == grant
        return grant, token

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.read(0)


def test_the_fleet_and_the_model_agree_whatever_happens(redis_client: redis.Redis) -> None:
    class OnThisServer(Agreement):
        client = redis_client

    run_state_machine_as_test(
        OnThisServer, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
    )


def test_without_a_clock_of_its_own_it_goes_by_the_servers(redis_client: redis.Redis, prefix: str) -> None:
    circuit = FleetCircuit(redis_client, "b", BreakerPolicy(failure_threshold=1), prefix=prefix, now_ms=None)
    circuit.record(0, "a", [False])
    seconds, _ = redis_client.time()
    reading = circuit.read()
    assert reading.since_ms is not None
    assert abs(reading.since_ms / 1000 - seconds) < 5
    assert 115_000 < circuit.permit(1, "b").retry_after_ms <= 120_000


def test_a_client_that_decodes_replies_reads_the_same(redis_url: str, prefix: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        circuit = FleetCircuit(client, "b", BreakerPolicy(), prefix=prefix, now_ms=None)
        circuit.force("open", "ops")
        reading = circuit.read()
    assert (reading.state, reading.forced, reading.forced_by) == ("open", "open", "ops")


def test_a_lowered_threshold_leaves_a_slot_while_half_open(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS

    def released(success_threshold: int) -> FleetCircuit:
        policy = BreakerPolicy(failure_threshold=1, success_threshold=success_threshold)
        return FleetCircuit(redis_client, "b", policy, prefix=prefix, now_ms=lambda: now_ms)

    old, new = released(3), released(1)
    old.record(0, "a", [False])
    now_ms += 120_000
    grant = old.permit(2, "b")
    old.record(grant.generation, "b", [True, True])
    assert new.permit(1, "c").granted == 1


def test_a_success_that_comes_after_its_lease_does_not_count(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS
    policy = BreakerPolicy(failure_threshold=1, success_threshold=1)
    circuit = FleetCircuit(redis_client, "b", policy, prefix=prefix, now_ms=lambda: now_ms)
    circuit.record(0, "a", [False])
    now_ms += policy.recovery_ms
    grant = circuit.permit(1, "b")
    now_ms += policy.probe_ms
    circuit.record(grant.generation, "b", [True])
    assert circuit.read().state == "half_open"
