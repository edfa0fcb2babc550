"""A shop on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from store import migrate
from store.database import Database
from tests.store.harness import StoreHarness
from tests.support.harness import sqlite_url
from tests.workflows.shop import Shop


@contextmanager
def a_shop(folder: Path, client: redis.Redis, prefix: str) -> Iterator[Shop]:
    """Its state is in `folder`, its breakers under `prefix`."""
    database = Database(sqlite_url(folder))
    migrate.upgrade(database)
    store = StoreHarness(database)

    def now_ms() -> int:
        return int(store.clock.now().timestamp() * 1000)

    breakers = {
        name: CircuitBreaker.shared(name, client, BreakerPolicy(), now_ms=now_ms, prefix=prefix)
        for name in ("mail", "stripe", "docraptor")
    }
    yield Shop(store, folder / "storage", breakers)
    database.close()
