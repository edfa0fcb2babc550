from __future__ import annotations

import threading
from uuid import uuid4

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from domain.errors import UnreachableError
from resilience.lease import Lease, LeaseHeldError

TTL_SECONDS = 1500
START_MS = 1_750_000_000_000
TOKENS = st.sampled_from(["a", "b", "c"])


class OneHolder(RuleBasedStateMachine):
    """Three tokens and all their fences, old ones too, against the one rule: at most one of them holds."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.lease = Lease(self.client, "l", TTL_SECONDS, now_ms=lambda: self.now_ms, prefix=uuid4().hex)
        self.fences = [0]
        self.holder: tuple[str, int] | None = None
        self.ends_ms = 0

    @rule(token=TOKENS)
    def acquire(self, token: str) -> None:
        fence = self.lease.acquire(token, {"token": token})
        assert (fence is not None) == (self.current is None or self.current[0] == token)
        if fence is not None:
            assert fence > max(self.fences)
            self.fences.append(fence)
            self.holder, self.ends_ms = (token, fence), self.now_ms + TTL_SECONDS * 1000

    @rule(token=TOKENS, data=st.data())
    def renew(self, token: str, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        renewed = self.lease.renew(token, fence)
        assert renewed == (self.current == (token, fence))
        if renewed:
            self.ends_ms = self.now_ms + TTL_SECONDS * 1000

    @rule(token=TOKENS, data=st.data())
    def release(self, token: str, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        released = self.lease.release(token, fence)
        assert released == (self.current == (token, fence))
        if released:
            self.holder = None

    @rule()
    def force_release(self) -> None:
        former = self.lease.force_release("ops")
        assert (former and (former.token, former.fence)) == self.current
        self.holder = None

    @rule(seconds=st.sampled_from([1, TTL_SECONDS - 1, TTL_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule()
    def read(self) -> None:
        held = self.lease.held()
        assert (held and (held.token, held.fence)) == self.current
        if held:
            assert held.holder == {"token": held.token}
            assert held.expires_in_seconds == (self.ends_ms - self.now_ms) / 1000

    @property
    def current(self) -> tuple[str, int] | None:
        return self.holder if self.now_ms < self.ends_ms else None


def test_a_lease_never_has_two_holders_and_its_fences_only_increase(redis_client: redis.Redis) -> None:
    class OnThisServer(OneHolder):
        client = redis_client

    run_state_machine_as_test(
        OnThisServer, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )


def test_an_expired_lease_is_neither_renewed_nor_released(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS
    lease = Lease(redis_client, "cron", TTL_SECONDS, now_ms=lambda: now_ms, prefix=prefix)
    fence = lease.acquire("a", {})
    assert fence
    now_ms += TTL_SECONDS * 1000
    assert not lease.renew("a", fence)
    assert not lease.release("a", fence)
    assert lease.held() is None


def test_the_key_expires_by_itself_and_the_fence_stays(redis_client: redis.Redis, prefix: str) -> None:
    Lease(redis_client, "cron", 25, prefix=prefix).acquire("a", {})
    assert 24_000 < redis_client.pttl(f"{prefix}:lease:cron") <= 25_000
    assert redis_client.pttl(f"{prefix}:lease:cron:fence") == -1


def test_exactly_one_of_many_threads_acquires_the_lease(redis_client: redis.Redis, prefix: str) -> None:
    lease = Lease(redis_client, "cron", 25, prefix=prefix)
    barrier, fences = threading.Barrier(16), []

    def compete(token: str) -> None:
        barrier.wait()
        fences.append(lease.acquire(token, {}))

    threads = [threading.Thread(target=compete, args=(str(i),)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fence is not None for fence in fences) == [False] * 15 + [True]


def test_holding_releases_the_lease_even_if_the_block_fails(redis_client: redis.Redis, prefix: str) -> None:
    lease = Lease(redis_client, "cron", 25, prefix=prefix)
    with pytest.raises(ZeroDivisionError):
        _fail_while_holding(lease)
    assert lease.held() is None


def test_the_error_of_a_held_lease_names_its_holder(redis_client: redis.Redis, prefix: str) -> None:
    lease = Lease(redis_client, "cron", 25, prefix=prefix)
    with (
        lease.holding("a", {"host": "vps", "run": "7"}),
        pytest.raises(LeaseHeldError, match="host vps, run 7") as refused,
        lease.holding("b", {}),
    ):
        pytest.fail("two holders")
    assert 24 < (refused.value.retry_after_seconds or 0) <= 25
    assert refused.value.holder.token == "a"


def test_a_block_that_lost_its_lease_does_not_release_that_of_the_next_holder(
    redis_client: redis.Redis, prefix: str
) -> None:
    lease = Lease(redis_client, "cron", 25, prefix=prefix)
    with lease.holding("a", {}):
        lease.force_release("ops")
        lease.acquire("b", {})
    held = lease.held()
    assert held is not None
    assert held.token == "b"
    assert redis_client.hget(f"{prefix}:lease:cron:fence", "released_by") == b"ops"


def test_nothing_is_acquired_when_redis_cannot_be_reached(unreachable: redis.Redis, prefix: str) -> None:
    with pytest.raises(UnreachableError):
        Lease(unreachable, "cron", 25, prefix=prefix).acquire("a", {})


def test_fences_increase_even_after_the_server_was_emptied(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = [1_000]
    lease = Lease(redis_client, "cron", 25, now_ms=lambda: now_ms[0], prefix=prefix)
    first = lease.acquire("a", {})
    redis_client.delete(*redis_client.keys(f"{prefix}:*"))
    now_ms[0] += 1
    second = lease.acquire("b", {})
    assert first is not None
    assert second is not None
    assert second > first


def _fail_while_holding(lease: Lease) -> None:
    with lease.holding("a", {"host": "vps"}) as fence:
        assert fence > 0
        raise ZeroDivisionError


DAY_MS = 86_400_000


def test_a_lease_from_before_the_clock_was_set_back_expires_within_its_ttl(
    redis_client: redis.Redis, prefix: str
) -> None:
    now_ms = START_MS + DAY_MS
    lease = Lease(redis_client, "cron", TTL_SECONDS, now_ms=lambda: now_ms, prefix=prefix)
    lease.acquire("a", {})
    now_ms = START_MS
    assert lease.acquire("b", {}) is None
    held = lease.held()
    assert held is not None
    assert (held.expires_in_seconds, held.held_seconds) == (TTL_SECONDS, 0)
    assert redis_client.pttl(f"{prefix}:lease:cron") <= TTL_SECONDS * 1000
    now_ms += TTL_SECONDS * 1000
    assert lease.acquire("b", {}) is not None


def test_a_lease_can_be_renewed_after_the_clock_was_set_back(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = START_MS + DAY_MS
    lease = Lease(redis_client, "cron", TTL_SECONDS, now_ms=lambda: now_ms, prefix=prefix)
    fence = lease.acquire("a", {})
    assert fence is not None
    now_ms = START_MS
    assert lease.renew("a", fence)
    held = lease.held()
    assert held is not None
    assert held.expires_in_seconds == TTL_SECONDS


def test_a_fence_is_above_the_newest_that_the_resource_has_seen_even_if_redis_lost_it(
    redis_client: redis.Redis, prefix: str
) -> None:
    now_ms = START_MS + DAY_MS
    lease = Lease(redis_client, "cron", TTL_SECONDS, now_ms=lambda: now_ms, prefix=prefix)
    seen = lease.acquire("a", {})
    assert seen is not None
    redis_client.delete(f"{prefix}:lease:cron", f"{prefix}:lease:cron:fence")
    now_ms = START_MS
    fence = lease.acquire("b", {}, above=seen)
    assert fence is not None
    assert fence > seen
