from __future__ import annotations

from queue import Queue

import pytest
import redis

from domain.errors import UnreachableError
from resilience.lease import Lease, keep_renewed


def test_it_renews_until_the_block_ends() -> None:
    turns: Queue[int] = Queue()

    def renew() -> bool:
        turns.put(1)
        return True

    with keep_renewed(renew, 0.001):
        for _ in range(3):
            turns.get(timeout=10)


def test_it_stops_when_the_lease_is_lost() -> None:
    answers: Queue[bool] = Queue()
    calls: Queue[int] = Queue()
    answers.put(False)

    def renew() -> bool:
        calls.put(1)
        return answers.get(timeout=10)

    with keep_renewed(renew, 0.001):
        calls.get(timeout=10)
    assert calls.empty()


def test_an_unreachable_server_is_tried_again() -> None:
    turns: Queue[int] = Queue()

    def renew() -> bool:
        turns.put(1)
        raise UnreachableError("gone")

    with keep_renewed(renew, 0.001):
        for _ in range(3):
            turns.get(timeout=10)


def test_a_lease_outlives_its_ttl_while_its_holder_works(redis_client: redis.Redis, prefix: str) -> None:
    now_ms = [1_000_000]
    lease = Lease(redis_client, "cron", 0.6, now_ms=lambda: now_ms[0], prefix=prefix)
    with lease.holding("worker", {"host": "vps"}) as fence:
        for _ in range(3):
            now_ms[0] += 400  # of the 600 ms that it lasts
            deadline = _expiry(lease, beyond_ms=200)
            assert deadline > 0
        assert lease.renew("worker", fence)
    assert lease.held() is None


def _expiry(lease: Lease, beyond_ms: float) -> float:
    """Wait until a renewal has moved the expiry further than `beyond_ms` away."""
    for _ in range(100_000):
        holder = lease.held()
        if holder is not None and holder.expires_in_seconds * 1000 > beyond_ms + 1:
            return holder.expires_in_seconds
    pytest.fail("the lease was not renewed")
