from __future__ import annotations

import pytest
import redis

from domain.errors import UnreachableError
from observability.metrics_store import MetricsStore


def test_what_several_processes_count_is_one_sum(redis_client: redis.Redis, prefix: str) -> None:
    worker, web = MetricsStore(redis_client, prefix), MetricsStore(redis_client, prefix)
    worker.add(1, {"messages": 3, "errors": 1})
    worker.add(2, {"messages": 2})
    web.add(1, {"messages": 10})
    assert web.read() == {"messages": 15, "errors": 1}


def test_an_entry_whose_answer_was_lost_counts_once(redis_client: redis.Redis, prefix: str) -> None:
    store = MetricsStore(redis_client, prefix)
    for _ in range(3):
        store.add(1, {"messages": 3})
    assert store.read() == {"messages": 3}


def test_a_process_that_ends_takes_nothing_along_and_leaves_no_key_for_ever(
    redis_client: redis.Redis, prefix: str
) -> None:
    MetricsStore(redis_client, prefix).add(1, {"messages": 3})
    assert MetricsStore(redis_client, prefix).read() == {"messages": 3}
    (of_process,) = redis_client.keys(f"{prefix}:ledger:*")
    assert 0 < redis_client.ttl(of_process) <= 86_400
    assert redis_client.ttl(f"{prefix}:ledger") == -1


def test_an_emptied_redis_counts_from_zero(redis_client: redis.Redis, prefix: str) -> None:
    store = MetricsStore(redis_client, prefix)
    store.add(1, {"messages": 3})
    redis_client.delete(*redis_client.keys(f"{prefix}:ledger*"))
    assert store.read() == {}
    store.add(2, {"messages": 4})
    assert store.read() == {"messages": 4}


def test_an_unreachable_redis_has_not_counted_nothing(unreachable: redis.Redis, prefix: str) -> None:
    store = MetricsStore(unreachable, prefix)
    with pytest.raises(UnreachableError):
        store.read()
    with pytest.raises(UnreachableError):
        store.add(1, {"messages": 1})
