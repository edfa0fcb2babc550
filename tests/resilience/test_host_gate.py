from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from uuid import uuid4

import pytest
import redis

from domain.catalog import NoTurnError
from domain.errors import UnreachableError
from domain.ports import HostUsage
from resilience.host_gate import CommandHostGate, HostGate, HostLimits, LocalHostGate

MIDNIGHT_MS = 1_750_032_000_000  # 2025-06-16, 00:00 UTC
NOON_MS = MIDNIGHT_MS + 12 * 3_600_000
LIMITS = HostLimits(requests_per_minute=30, daily_requests=3, flight_seconds=40)
NewGate = Callable[..., HostGate]


class FakeMilliseconds:
    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def now() -> FakeMilliseconds:
    return FakeMilliseconds()


@pytest.fixture
def gate(redis_client: redis.Redis, prefix: str, now: FakeMilliseconds) -> NewGate:
    """Makes gates of one host, as those of several processes or profiles; without jitter."""

    def make(limits: HostLimits = LIMITS, host: str = "ssb.example.edu", jitter: float = 0.0) -> HostGate:
        return HostGate(redis_client, host, limits, now_ms=now, prefix=prefix, jitter=lambda: jitter)

    return make


def done(gate: HostGate) -> None:
    """A whole request."""
    assert gate.enter().is_granted
    gate.leave()


def test_one_request_is_in_progress_in_the_whole_fleet(gate: NewGate, now: FakeMilliseconds) -> None:
    first, second = gate(), gate()
    assert first.enter().is_granted
    now.advance(10)
    turn = second.enter()
    assert (turn.wait_seconds, turn.reason) == (2, "ssb.example.edu: another request is in progress")
    first.leave()
    assert second.enter().is_granted


def test_requests_begin_two_seconds_apart_or_somewhat_more(gate: NewGate, now: FakeMilliseconds) -> None:
    jittery = gate(jitter=0.5)
    done(jittery)
    turn = gate().enter()
    assert (turn.wait_seconds, turn.reason) == (2.25, "ssb.example.edu: its requests are spaced")
    now.advance(2.249)
    assert jittery.enter().wait_seconds == 0.001
    now.advance(0.001)
    assert jittery.enter().is_granted


def test_each_profile_of_a_host_has_its_own_pace_and_limit(gate: NewGate, now: FakeMilliseconds) -> None:
    quick, slow = gate(HostLimits(30, 100)), gate(HostLimits(6, 2))
    done(quick)
    assert slow.enter().wait_seconds == 10
    now.advance(2)
    done(quick)
    now.advance(10)
    turn = slow.enter()
    assert (turn.wait_seconds, turn.reason) == (12 * 3600 - 12, "ssb.example.edu: today's requests are spent")
    done(quick)
    assert slow.read() == quick.read() == HostUsage(3, 0)


def test_hosts_do_not_delay_each_other(gate: NewGate) -> None:
    assert gate().enter().is_granted
    assert gate(host="other.example.edu").enter().is_granted


def test_a_local_host_may_be_asked_without_delay(gate: NewGate, now: FakeMilliseconds) -> None:
    local = gate(HostLimits(60_000, 100))
    done(local)
    now.advance(0.001)
    assert local.enter().is_granted


def test_the_requests_of_a_day_end_at_midnight_utc(gate: NewGate, now: FakeMilliseconds) -> None:
    mine = gate()
    for _ in range(3):
        done(mine)
        now.advance(2)
    assert mine.enter().wait_seconds == 12 * 3600 - 6
    now.now_ms = MIDNIGHT_MS + 24 * 3_600_000 - 1
    assert mine.enter().wait_seconds == 0.001
    now.advance(0.001)
    assert mine.read() == HostUsage(0, 0)
    done(mine)
    assert mine.read() == HostUsage(1, 0)


def test_a_hold_applies_to_the_whole_fleet_and_only_gets_longer(gate: NewGate, now: FakeMilliseconds) -> None:
    first, second = gate(), gate()
    first.hold(60)
    second.hold(10)
    turn = second.enter()
    assert (turn.wait_seconds, turn.reason) == (60, "ssb.example.edu: the catalog asked for a wait")
    assert first.read() == HostUsage(0, 60)
    now.advance(60)
    assert second.enter().is_granted


def test_a_request_whose_process_died_counts_as_lost(gate: NewGate, now: FakeMilliseconds) -> None:
    dead, alive = gate(), gate()
    assert dead.enter().is_granted
    now.advance(39.5)
    assert alive.enter().wait_seconds == 0.5
    now.advance(0.5)
    assert alive.enter().is_granted
    dead.leave()  # it was only slow: the other's request is still in progress
    assert not gate().enter().is_granted


def test_a_clock_that_is_set_back_prolongs_no_wait(gate: NewGate, now: FakeMilliseconds) -> None:
    mine = gate()
    done(mine)
    mine.hold(5)
    now.advance(-3 * 3600)
    assert mine.enter().wait_seconds == 5


def test_the_state_of_a_host_expires(gate: NewGate, redis_client: redis.Redis, prefix: str) -> None:
    done(gate())
    assert 24 * 3600 < redis_client.ttl(f"{prefix}:host:ssb.example.edu") <= 25 * 3600


def test_of_many_processes_one_is_granted_on_the_clock_of_the_server(
    redis_client: redis.Redis, prefix: str
) -> None:
    start, granted = Barrier(8), []

    def ask() -> None:
        mine = HostGate(redis_client, "x", LIMITS, prefix=prefix)
        start.wait()
        granted.append(mine.enter().is_granted)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == [False] * 7 + [True]


@pytest.mark.parametrize("server", ["unreachable", "refusing"])
def test_without_redis_there_is_no_turn(request: pytest.FixtureRequest, server: str) -> None:
    gate = HostGate(request.getfixturevalue(server), "x", LIMITS)
    with pytest.raises(NoTurnError, match="x: no request without the limits in Redis"):
        gate.enter()
    gate.leave()


def test_a_hold_that_cannot_be_stored_is_stored_before_the_next_turn(redis_client: redis.Redis) -> None:
    host = uuid4().hex
    redis_client.set(f"rollcall:host:{host}", "")  # any script fails on it
    gate = HostGate(redis_client, host, LIMITS)
    with pytest.raises(redis.ResponseError):
        gate.hold(60)
    redis_client.delete(f"rollcall:host:{host}")
    assert 59 < gate.enter().wait_seconds <= 60


def test_a_command_without_redis_paces_itself(unreachable: redis.Redis) -> None:
    seconds = [100.0]
    local = LocalHostGate("x", LIMITS, monotonic=lambda: seconds[0])
    gate = CommandHostGate(HostGate(unreachable, "x", LIMITS), local)
    assert gate.enter().is_granted
    gate.leave()
    assert gate.enter().wait_seconds == 2
    gate.hold(30)
    seconds[0] += 2
    assert gate.enter().wait_seconds == 28
    seconds[0] += 28
    assert gate.enter().is_granted


def test_a_command_shares_the_gate_of_the_fleet(gate: NewGate) -> None:
    mine = CommandHostGate(gate(), LocalHostGate("x", LIMITS))
    assert mine.enter().is_granted
    assert not gate().enter().is_granted
    mine.leave()
    mine.hold(30)
    assert gate().enter().wait_seconds == 30


def test_usage_cannot_be_read_without_redis(unreachable: redis.Redis) -> None:
    with pytest.raises(UnreachableError):
        HostGate(unreachable, "x", LIMITS).read()
