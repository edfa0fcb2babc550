from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pybreaker
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.errors import UnreachableError
from resilience.breaker import CircuitBreaker
from resilience.breaker_model import PROBE_WAIT_SECONDS, BreakerEvent
from resilience.breaker_policy import BreakerPolicy
from tests.support.redis_server import RedisServer, running

START_MS = 1_750_000_000_000


class Milliseconds:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


class Transitions(pybreaker.CircuitBreakerListener):
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.events.append((old_state.name, old_state.scope, new_state.name, new_state.scope))


@pytest.fixture
def clock() -> Milliseconds:
    return Milliseconds()


@pytest.fixture
def breaker(redis_client: redis.Redis, prefix: str, clock: Milliseconds) -> CircuitBreaker:
    return CircuitBreaker.shared("scraper", redis_client, now_ms=clock, prefix=prefix)


def trip(breaker: CircuitBreaker) -> None:
    breaker.record(breaker.permit(10), [False] * 10)


def test_ten_failures_in_a_row_open_it_for_two_minutes(breaker: CircuitBreaker, clock: Milliseconds) -> None:
    breaker.record(breaker.permit(20), [False] * 9 + [True] + [False] * 9)
    assert breaker.snapshot().state == "closed"
    breaker.record(breaker.permit(1), [False])
    clock.advance(20)
    refused = breaker.permit(5)
    assert (refused.granted, refused.retry_after_seconds) == (0, 100)
    assert breaker.snapshot().since == datetime.fromtimestamp(START_MS / 1000, UTC)


@pytest.mark.parametrize("error", [None, UnreachableError("503")])
def test_a_batch_costs_two_round_trips(
    redis_client: redis.Redis, breaker: CircuitBreaker, error: Exception | None
) -> None:
    breaker.record(breaker.permit(25), [True] * 25, error=error)
    before = commands(redis_client)
    with breaker.calling(25) as permit:
        breaker.record(permit, [True] * 25, error=error)
    assert commands(redis_client) - before == 2


def commands(client: redis.Redis) -> int:
    """Calls of EVALSHA so far: each is one round trip."""
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_other_requests_wait_for_the_probes_but_not_for_their_leases(
    breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    trip(breaker)
    clock.advance(120)
    permit = breaker.permit(25)
    assert (permit.granted, permit.retry_after_seconds) == (3, PROBE_WAIT_SECONDS)


def test_requests_without_an_outcome_free_their_slots(breaker: CircuitBreaker, clock: Milliseconds) -> None:
    trip(breaker)
    clock.advance(120)
    breaker.record(breaker.permit(3), [True])
    assert breaker.permit(25).granted == 2


def test_more_outcomes_than_requests_are_rejected(breaker: CircuitBreaker) -> None:
    with pytest.raises(ValueError, match="3 outcomes for 2"):
        breaker.record(breaker.permit(2), [True] * 3)


def test_each_transition_is_reported_once_by_the_process_that_caused_it(
    redis_client: redis.Redis, prefix: str, clock: Milliseconds
) -> None:
    listeners = [Transitions(), Transitions()]
    one, other = (
        CircuitBreaker.shared("scraper", redis_client, listeners=[each], now_ms=clock, prefix=prefix)
        for each in listeners
    )
    trip(one)
    clock.advance(120)
    other.record(other.permit(3), [True, True, True])
    one.permit(1)
    assert listeners[0].events == [("closed", "fleet", "open", "fleet")]
    assert listeners[1].events == [
        ("open", "fleet", "half-open", "fleet"),
        ("half-open", "fleet", "closed", "fleet"),
    ]


def test_operators_force_it_for_the_whole_fleet_under_their_name(
    redis_client: redis.Redis, prefix: str, breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    other = CircuitBreaker.shared("scraper", redis_client, now_ms=clock, prefix=prefix)
    breaker.force_open("ann")
    clock.advance(10_000)
    assert other.permit(1).granted == 0
    seen = other.snapshot()
    assert (seen.state, seen.forced, seen.forced_by) == ("open", "open", "ann")
    assert seen.since == datetime.fromtimestamp(START_MS / 1000, UTC)
    breaker.force_closed("ann")
    trip(other)
    assert (other.snapshot().state, other.snapshot().failures) == ("closed", 10)
    breaker.reset("ann")
    seen = other.snapshot()
    assert (seen.state, seen.failures, seen.forced, seen.forced_by) == ("closed", 0, None, None)


def test_the_history_lists_who_forced_and_reset_it_newest_first(
    redis_client: redis.Redis, prefix: str, breaker: CircuitBreaker, clock: Milliseconds
) -> None:
    other = CircuitBreaker.shared("scraper", redis_client, now_ms=clock, prefix=prefix)
    assert breaker.history() == []
    breaker.force_open("ann")
    clock.advance(60)
    other.force_closed("bob")
    clock.advance(60)
    breaker.reset("cleo")
    at = [datetime.fromtimestamp(START_MS / 1000 + seconds, UTC) for seconds in (120, 60, 0)]
    assert other.history() == [
        BreakerEvent(at[0], "cleo", "reset", "closed"),
        BreakerEvent(at[1], "bob", "force_closed", "open"),
        BreakerEvent(at[2], "ann", "force_open", "closed"),
    ]


@pytest.mark.parametrize(("method", "granted"), [("force_open", 0), ("force_closed", 50)])
def test_a_forced_state_outlives_every_client(redis_url: str, prefix: str, method: str, granted: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        getattr(CircuitBreaker.shared("scraper", client, prefix=prefix), method)("ann")
    with redis.Redis.from_url(redis_url) as client:
        later = CircuitBreaker.shared("scraper", client, prefix=prefix)
        later.record(later.permit(50), [False] * granted)
        assert later.permit(50).granted == granted
        assert (later.snapshot().forced_by, later.history()[0].action) == ("ann", method)


def test_reading_does_not_half_open_it(breaker: CircuitBreaker, clock: Milliseconds) -> None:
    trip(breaker)
    clock.advance(500)
    for _ in range(2):
        seen = breaker.snapshot()
        assert (seen.state, seen.retry_after_seconds, seen.scope) == ("open", 0, "fleet")


def test_many_threads_share_one_breaker(redis_client: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared(
        "scraper", redis_client, BreakerPolicy(failure_threshold=1000), prefix=prefix
    )

    def fail() -> None:
        for _ in range(10):
            breaker.record(breaker.permit(5), [False] * 5)

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.snapshot().failures == 400


class Process:
    """One breaker in an operating-system process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def permit(self, n: int, now_ms: int) -> int:
        granted: int = self._send({"permit": n, "now_ms": now_ms})["granted"]
        return granted

    def record(self, outcomes: list[bool], now_ms: int) -> str:
        state: str = self._send({"record": outcomes, "now_ms": now_ms})["state"]
        return state

    def _send(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def breaker_process(url: str, prefix: str) -> Iterator[Process]:
    command = [sys.executable, "-m", "tests.resilience.breaker_process", url, prefix]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        yield Process(process)


def test_two_processes_open_probe_and_close_one_breaker(redis_url: str, prefix: str) -> None:
    with ExitStack() as stack:
        one, other = (stack.enter_context(breaker_process(redis_url, prefix)) for _ in range(2))
        states = [""]
        for _ in range(5):
            for process in (one, other):
                assert process.permit(1, START_MS) == 1
                states.append(process.record([False], START_MS))
        assert states[-2:] == ["closed", "open"]

        assert (one.permit(5, START_MS + 119_999), other.permit(5, START_MS + 119_999)) == (0, 0)
        recovered_ms = START_MS + 120_000
        assert (one.permit(2, recovered_ms), other.permit(5, recovered_ms)) == (2, 1)
        assert one.record([True, True], recovered_ms) == "half_open"
        assert other.record([True], recovered_ms) == "closed"

        assert one.permit(10, recovered_ms) == 10
        assert one.record([False] * 10, recovered_ms) == "open"
        again_ms = recovered_ms + 120_000
        assert (other.permit(1, again_ms), one.permit(5, again_ms)) == (1, 2)
        assert one.record([True, True], again_ms) == "half_open"
        assert other.record([False], again_ms + 1) == "open"
        assert one.permit(1, again_ms + 120_000) == 0


@pytest.fixture
def server(server_binary: Path) -> Iterator[RedisServer]:
    """A server that the test may stop."""
    with running(server_binary) as server:
        yield server


@pytest.fixture
def fragile(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0)) as client:
        yield client


def test_without_redis_the_process_decides_and_reports_that_scope_until_redis_is_back(
    server: RedisServer, fragile: redis.Redis, prefix: str, clock: Milliseconds
) -> None:
    listener = Transitions()
    breaker = CircuitBreaker.shared("scraper", fragile, listeners=[listener], now_ms=clock, prefix=prefix)
    in_flight = breaker.permit(1)
    server.stop()
    breaker.record(in_flight, [False])
    permit = breaker.permit(10)
    assert (permit.granted, permit.scope) == (10, "process")
    breaker.record(permit, [False] * 10)
    assert breaker.permit(1).granted == 0
    seen = breaker.snapshot()
    assert (seen.state, seen.scope, seen.retry_after_seconds) == ("open", "process", 120)
    server.start()
    assert breaker.permit(5).granted == 5
    assert breaker.snapshot().scope == "fleet"
    breaker.record(permit, [False] * 10)
    assert breaker.snapshot().failures == 0
    assert listener.events == [
        ("closed", "fleet", "closed", "process"),
        ("closed", "process", "open", "process"),
        ("open", "process", "closed", "fleet"),
    ]


def test_a_forced_state_holds_without_redis(server: RedisServer, fragile: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("scraper", fragile, prefix=prefix)
    breaker.force_open("ann")
    server.stop()
    assert breaker.permit(1).granted == 0
    assert (breaker.snapshot().forced, breaker.snapshot().scope) == ("open", "process")


def test_forcing_a_state_without_redis_is_an_error(unreachable: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("scraper", unreachable, prefix=prefix)
    with pytest.raises(UnreachableError):
        breaker.force_open("ann")


def test_a_history_that_cannot_be_read_is_an_error(unreachable: redis.Redis, prefix: str) -> None:
    breaker = CircuitBreaker.shared("scraper", unreachable, prefix=prefix)
    with pytest.raises(UnreachableError):
        breaker.history()


def test_the_last_error_is_shared_by_the_fleet_and_remains_through_transitions(
    redis_client: redis.Redis, prefix: str, clock: Milliseconds, breaker: CircuitBreaker
) -> None:
    assert breaker.snapshot().last_error is None
    breaker.record(breaker.permit(10), [False] * 10, error=UnreachableError("no route\nto the host"))
    breaker.reset("ada")
    seen = CircuitBreaker.shared("scraper", redis_client, now_ms=clock, prefix=prefix).snapshot()
    assert seen.last_error == "UnreachableError: no route to the host"
    assert seen.last_error_at == datetime.fromtimestamp(START_MS / 1000, UTC)
    assert (seen.state, seen.failures) == ("closed", 0)


def test_a_guarded_call_records_its_error(breaker: CircuitBreaker) -> None:
    def fail() -> None:
        raise UnreachableError("503")

    with pytest.raises(UnreachableError):
        breaker.call(fail)
    assert breaker.snapshot().last_error == "UnreachableError: 503"


def test_while_redis_is_unreachable_a_process_shows_its_own_last_error(unreachable: redis.Redis) -> None:
    alone = CircuitBreaker.shared("scraper", unreachable)
    alone.record(alone.permit(1), [False], error=UnreachableError("503"))
    assert (alone.snapshot().scope, alone.snapshot().last_error) == ("process", "UnreachableError: 503")
