"""The Lua scripts against their model: Redis and `BreakerModel` always agree."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from resilience.breaker_model import BreakerAction, BreakerEvent, BreakerModel, Change, Permit
from resilience.breaker_policy import DEFAULT_POLICY, BreakerPolicy
from resilience.breaker_storage import RedisStorage

START_MS = 1_750_000_000_000
ACTIONS = st.sampled_from(get_args(BreakerAction))
ONE_FAILURE = BreakerPolicy(failure_threshold=1, success_threshold=1)
POLICIES = st.builds(
    BreakerPolicy,
    failure_threshold=st.sampled_from([1, 2, 3, 4, 100]),
    recovery_seconds=st.sampled_from([0, 0.5, 120]),
    success_threshold=st.integers(1, 3),
    probe_seconds=st.sampled_from([0.5, 60]),
    failure_ratio=st.sampled_from([None, 0.07, 1 / 3, 0.5, 1]),
    window_seconds=st.sampled_from([1, 60]),
    minimum_calls=st.integers(1, 8),
    ramp_seconds=st.sampled_from([0, 0.007, 0.5, 60]),
)


def issued(generation: int, token: str) -> Permit:
    return Permit(0, 0, generation, token, Change("closed", "closed"), None)


class Agreement(RuleBasedStateMachine):
    """Three clients of one breaker in Redis, beside the model, on one clock that the rules move."""

    permits: Bundle[Permit] = Bundle("permits")

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.latest: Permit | None = None
        self.tokens = 0

    @initialize(policy=POLICIES)
    def begin(self, policy: BreakerPolicy) -> None:
        prefix = uuid4().hex
        self.key = f"{prefix}:breaker:b"
        self.model = BreakerModel(policy)
        self.events: list[BreakerEvent] = []
        self.fleet = [
            RedisStorage(self.client, "b", prefix=prefix, now_ms=lambda: self.now_ms) for _ in range(3)
        ]

    @rule(target=permits, process=st.integers(0, 2), n=st.integers(0, 5))
    def permit(self, process: int, n: int) -> Permit:
        return self._permit(process, n)

    @rule(
        permit=permits,
        process=st.integers(0, 2),
        outcomes=st.lists(st.sampled_from([True, True, False, None]), max_size=5),
    )
    def record(self, permit: Permit, process: int, outcomes: list[bool | None]) -> None:
        """At once, late, twice, or never: the permit of a crashed prober is not drawn."""
        expected = self.model.record(permit.generation, permit.token, outcomes, self.now_ms)
        assert self.fleet[process].record(self.model.policy, permit, outcomes) == expected

    @rule(process=st.integers(0, 2), outcomes=st.lists(st.sampled_from([True, False]), max_size=9))
    def work(self, process: int, outcomes: list[bool | None]) -> None:
        """A normal batch: permitted, and recorded at once."""
        permit = self._permit(process, len(outcomes))
        self.record(permit, process, outcomes[: permit.granted])

    @rule(process=st.integers(0, 2))
    def recover(self, process: int) -> None:
        self.trip(process)
        self.now_ms += self.model.policy.recovery_ms
        permit = self._permit(process, self.model.policy.success_threshold)
        self.record(permit, process, [True] * permit.granted)

    @rule(target=permits, process=st.integers(0, 2))
    def trip(self, process: int) -> Permit:
        permit = self._permit(process, self.model.policy.failure_threshold)
        self.record(permit, process, [False] * permit.granted)
        return permit

    @rule(target=permits, process=st.integers(0, 2), n=st.integers(1, 3))
    def probe(self, process: int, n: int) -> Permit:
        self.now_ms += self.model.policy.recovery_ms
        self.latest = self._permit(process, n)
        return self.latest

    @precondition(lambda self: self.latest)
    @rule(process=st.integers(0, 2), outcomes=st.lists(st.sampled_from([True, True, None]), max_size=3))
    def settle_latest_probe(self, process: int, outcomes: list[bool | None]) -> None:
        assert self.latest
        self.record(self.latest, process, outcomes)

    @rule(
        step=st.sampled_from(
            ["probe", "recovery", "bucket", "window", "window edge", "ramp step", "ramp", "neither"]
        ),
        offset_ms=st.integers(-1, 1),
    )
    def wait(self, step: str, offset_ms: int) -> None:
        """To the moment at which something ends, or one ms before or after it."""
        policy = self.model.policy
        steps_ms = {
            "probe": policy.probe_ms,
            "recovery": policy.recovery_ms,
            "bucket": policy.window_ms // 10,
            "window": policy.window_ms,
            "window edge": policy.window_ms + -self.now_ms % (policy.window_ms // 10),
            "ramp step": policy.ramp_ms // 10,
            "ramp": policy.ramp_ms,
            "neither": 1,
        }
        self.now_ms += max(0, steps_ms[step] + offset_ms)

    @rule(back_ms=st.integers(1, 70_000))
    def set_the_clock_back(self, back_ms: int) -> None:
        """As when another server takes over."""
        self.now_ms -= back_ms

    @rule(process=st.integers(0, 2), action=ACTIONS)
    def apply(self, process: int, action: BreakerAction) -> None:
        change = self.model.apply(action, "ops", self.now_ms)
        assert self.fleet[process].apply(action, "ops") == change
        at = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        self.events.insert(0, BreakerEvent(at, "ops", action, change.before))

    @rule(process=st.integers(0, 2))
    def read(self, process: int) -> None:
        assert self.fleet[process].read(self.model.policy) == self.model.read(self.now_ms)
        assert self.fleet[process].history() == self.events

    @invariant()
    def keeps_the_same_counts(self) -> None:
        buckets, ramp = self.model.window.buckets, self.model.ramp
        window = " ".join(f"{ms}:{calls}:{failures}" for ms, (calls, failures) in sorted(buckets.items()))
        step = f"{ramp.step}:{ramp.granted}" if ramp else ""
        kept: Any = self.client.hmget(self.key, "window", "ramp")
        assert [(field or b"").decode() for field in kept] == [window, step]

    def _permit(self, process: int, n: int) -> Permit:
        self.tokens += 1
        token = f"token-{self.tokens}"
        permit = self.model.permit(n, token, self.now_ms)
        assert self.fleet[process].permit(self.model.policy, n, token) == permit
        return permit

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.read(0)


def test_the_fleet_and_the_model_always_agree(redis_client: redis.Redis) -> None:
    class OnThisServer(Agreement):
        client = redis_client

    run_state_machine_as_test(
        OnThisServer, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
    )


def test_a_record_without_outcomes_keeps_the_window_of_a_clock_that_was_set_back(
    redis_client: redis.Redis,
) -> None:
    class OnThisServer(Agreement):
        client = redis_client

    state = OnThisServer()
    state.begin(
        BreakerPolicy(
            failure_threshold=2, recovery_seconds=0.5, success_threshold=1, probe_seconds=0.5,
            failure_ratio=0.07, window_seconds=1, minimum_calls=4, ramp_seconds=0.007,
        )
    )  # fmt: skip
    for back_ms in (0, 0, 0, 0, 500):
        state.now_ms -= back_ms
        state.recover(0)
        state.keeps_the_same_counts()


Operation = tuple[str, Any]
OPERATIONS = st.one_of(
    st.tuples(st.just("permit"), st.integers(1, 5)),
    st.tuples(st.just("record"), st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4)),
    st.tuples(st.just("apply"), ACTIONS),
)


@settings(max_examples=40, deadline=None)
@given(
    policy=POLICIES,
    begun=st.sampled_from(["closed", "half_open", "ramping"]),
    programs=st.lists(st.lists(OPERATIONS, min_size=1, max_size=2), min_size=2, max_size=3),
)
def test_concurrent_operations_are_serialised(
    redis_url: str, policy: BreakerPolicy, begun: str, programs: list[list[Operation]]
) -> None:
    model, prefix = BreakerModel(policy), uuid4().hex
    with ExitStack() as stack:
        clients = [stack.enter_context(redis.Redis.from_url(redis_url)) for _ in programs]
        fleet = [RedisStorage(client, "b", prefix=prefix, now_ms=lambda: START_MS) for client in clients]
        lead(model, fleet[0], begun)
        generation, together = model.generation, threading.Barrier(len(programs))

        def run(client: int) -> list[Any]:
            together.wait()
            token = f"t{client}"
            return [do(fleet[client], policy, each, generation, token) for each in programs[client]]

        with ThreadPoolExecutor(len(programs)) as threads:
            replies = list(threads.map(run, range(len(programs))))
        final = fleet[0].read(policy)
    assert any(
        explains(deepcopy(model), programs, replies, generation, order) == final
        for order in orders([len(program) for program in programs])
    )


def lead(model: BreakerModel, fleet: RedisStorage, begun: str) -> None:
    """Bring both to the state in which the clients begin, at `START_MS`."""
    if begun == "closed":
        return
    earlier_ms, threshold = START_MS - model.policy.recovery_ms, model.policy.success_threshold
    fleet._now_ms = lambda: earlier_ms
    failures = [False] * model.policy.failure_threshold
    assert fleet.record(model.policy, issued(0, "a"), failures) == model.record(0, "a", failures, earlier_ms)
    fleet._now_ms = lambda: START_MS
    n = threshold if begun == "ramping" else 1
    permit = model.permit(n, "b", START_MS)
    assert fleet.permit(model.policy, n, "b") == permit
    if begun == "ramping":
        fleet.record(model.policy, permit, [True] * n)
        model.record(permit.generation, "b", [True] * n, START_MS)


def do(fleet: RedisStorage, policy: BreakerPolicy, operation: Operation, generation: int, token: str) -> Any:
    name, argument = operation
    if name == "permit":
        return fleet.permit(policy, argument, token)
    if name == "record":
        return fleet.record(policy, issued(generation, token), argument)
    return fleet.apply(argument, token)


def explains(
    model: BreakerModel,
    programs: Sequence[Sequence[Operation]],
    replies: Sequence[Sequence[Any]],
    generation: int,
    order: Sequence[int],
) -> Any:
    """What is read after that order of clients, or None if one of them got another reply."""
    done = [0] * len(programs)
    for client in order:
        name, argument = programs[client][done[client]]
        token = f"t{client}"
        if name == "permit":
            reply: Any = model.permit(argument, token, START_MS)
        elif name == "record":
            reply = model.record(generation, token, argument, START_MS)
        else:
            reply = model.apply(argument, token, START_MS)
        if reply != replies[client][done[client]]:
            return None
        done[client] += 1
    return model.read(START_MS)


def orders(left: Sequence[int]) -> Iterator[list[int]]:
    """Each order in which clients with so many operations left may be served."""
    if not any(left):
        yield []
    for client, count in enumerate(left):
        if count:
            for rest in orders([*left[:client], count - 1, *left[client + 1 :]]):
                yield [client, *rest]


def at(redis_client: redis.Redis, prefix: str, now_ms: int = START_MS) -> RedisStorage:
    return RedisStorage(redis_client, "b", prefix=prefix, now_ms=lambda: now_ms)


def test_the_history_holds_the_last_hundred_actions(redis_client: redis.Redis, prefix: str) -> None:
    storage = at(redis_client, prefix)
    for i in range(103):
        storage.apply("reset", f"ops {i}")
    assert [event.by for event in storage.history()] == [f"ops {i}" for i in range(102, 2, -1)]


def test_the_history_stores_names_unchanged(redis_client: redis.Redis, prefix: str) -> None:
    storage = at(redis_client, prefix)
    by = 'Zoë "/\\" 你\n'
    storage.apply("force_open", by)
    assert (storage.history()[0].by, storage.read(DEFAULT_POLICY).forced_by) == (by, by)
    entry: Any = redis_client.lindex(f"{prefix}:breaker:b:audit", 0)
    assert json.loads(entry) == {"at_ms": START_MS, "by": by, "action": "force_open", "before": "closed"}


def test_a_window_needs_constant_memory(redis_client: redis.Redis, prefix: str) -> None:
    policy = BreakerPolicy(failure_threshold=10**9, failure_ratio=1, window_seconds=10)
    for i in range(300):
        at(redis_client, prefix, START_MS + 250 * i).record(policy, issued(0, "a"), [True, False])
    window: Any = redis_client.hget(f"{prefix}:breaker:b", "window")
    assert len(window.split()) == 10


def test_without_a_failure_ratio_no_window_is_stored(redis_client: redis.Redis, prefix: str) -> None:
    at(redis_client, prefix).record(DEFAULT_POLICY, issued(0, "a"), [True, False])
    assert redis_client.hkeys(f"{prefix}:breaker:b") == [b"failures", b"successes"]


def test_the_server_clock_is_the_default(redis_client: redis.Redis, prefix: str) -> None:
    storage = RedisStorage(redis_client, "b", prefix=prefix)
    storage.record(ONE_FAILURE, issued(0, "a"), [False])
    seconds, _ = redis_client.time()
    since = storage.read(ONE_FAILURE).since
    assert since is not None
    assert abs(since.timestamp() - seconds) < 5
    assert 115_000 < storage.permit(ONE_FAILURE, 1, "b").retry_after_ms <= 120_000


def test_a_client_that_decodes_replies_reads_the_same(redis_url: str, prefix: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        storage = RedisStorage(client, "b", prefix=prefix)
        storage.apply("force_open", "ops")
        found = storage.read(DEFAULT_POLICY)
    assert (found.state, found.forced, found.forced_by) == ("open", "open", "ops")


def test_a_lowered_threshold_leaves_a_slot_while_half_open(redis_client: redis.Redis, prefix: str) -> None:
    before, after = (replace(ONE_FAILURE, success_threshold=threshold) for threshold in (3, 1))
    at(redis_client, prefix).record(before, issued(0, "a"), [False])
    storage = at(redis_client, prefix, START_MS + 120_000)
    storage.record(before, storage.permit(before, 2, "b"), [True, True])
    assert storage.permit(after, 1, "c").granted == 1


def test_a_success_after_the_end_of_its_lease_does_not_count(redis_client: redis.Redis, prefix: str) -> None:
    at(redis_client, prefix).record(ONE_FAILURE, issued(0, "a"), [False])
    recovered_ms = START_MS + ONE_FAILURE.recovery_ms
    permit = at(redis_client, prefix, recovered_ms).permit(ONE_FAILURE, 1, "b")
    storage = at(redis_client, prefix, recovered_ms + ONE_FAILURE.probe_ms)
    storage.record(ONE_FAILURE, permit, [True])
    assert storage.read(ONE_FAILURE).state == "half_open"
