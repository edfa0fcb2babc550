"""The resources that all worlds of one process share: a database file and a Redis client."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from store import migrate
from store.schema import metadata
from tests.simulation import journal
from tests.simulation.ports import FaultyDatabase, FaultyRedis
from tests.simulation.scheduler import TaskScheduler

_TABLES = [*(table.name for table in reversed(metadata.sorted_tables)), "sim_journal", "sqlite_sequence"]
_EMPTY = "".join(["BEGIN;", *(f"DELETE FROM {table};" for table in _TABLES), "COMMIT;"])  # noqa: S608 - ours
_GRACE_MS, _LOST_MS, _LIFETIME_MS = 5_000, 600_000, 1_500_000
_NEEDS = """
SELECT min(at) FROM (
  SELECT min(due_at_ms) AS at FROM check_batches
  UNION ALL SELECT min(published_at_ms) + :check FROM check_batches WHERE due_at_ms IS NULL
  UNION ALL SELECT min(deadline_at_ms) FROM runs WHERE state = 'running'
  UNION ALL SELECT min(created_at_ms) + :dispatch FROM runs WHERE state = 'queued'
  UNION ALL SELECT min(due_at_ms) FROM mail_batches WHERE state = 'sending'
  UNION ALL SELECT min(due_at_ms) FROM watch_notifications WHERE state = 'pending'
)
"""


@dataclass
class Environment:
    """The real database and Redis; `raw` is a connection without injected faults."""

    database: FaultyDatabase
    redis: FaultyRedis
    raw: sqlite3.Connection
    prefix: str

    def begin(self, scheduler: TaskScheduler) -> None:
        """Delete all data for the next world."""
        self.database.scheduler = None
        self.raw.executescript(_EMPTY)
        self.redis.scheduler = None
        self.redis.begin(scheduler)
        self.database.scheduler = scheduler
        self.database.transaction = 0

    def need_ms(self, depths: dict[str, int | None]) -> int | None:
        """The time of the reconciler's next work; None if nothing is pending."""
        waits = {queue: _LOST_MS if depths[queue] else _GRACE_MS for queue in ("check", "dispatch")}
        found = self.raw.execute(_NEEDS, waits).fetchone()[0]
        return None if found is None else int(found)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.raw.execute(query).fetchall()


@contextmanager
def open_environment(folder: Path, redis_url: str) -> Iterator[Environment]:
    """An environment whose database is in `folder`."""
    path = folder / "simulation.db"
    database = FaultyDatabase(f"sqlite:///{path}")
    migrate.upgrade(database)
    raw = sqlite3.connect(path, isolation_level=None)
    for name in ("sim_transaction", "sim_now", "sim_fence"):
        raw.create_function(name, 0, lambda: 0)
    raw.execute("PRAGMA synchronous = OFF")
    journal.install(raw)
    client = FaultyRedis(unix_socket_path=redis_url.removeprefix("unix://"))
    try:
        yield Environment(database, client, raw, f"sim-{uuid4().hex[:12]}")
    finally:
        client.scheduler = None
        client.flush()
        client.close()
        raw.close()
        database.close()
