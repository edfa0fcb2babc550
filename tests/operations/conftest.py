"""One harness for each test, over a migrated SQLite database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from store import migrate
from store.database import Database
from tests.support.harness import Harness, harness, sqlite_url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operations")
    database = Database(sqlite_url(folder))
    migrate.upgrade(database)
    database.close()
    return folder / "rollcall.db"


@pytest.fixture
def rollcall(migrated: Path, tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    shutil.copy(migrated, tmp_path / "rollcall.db")
    with harness(sqlite_url(tmp_path), redis_client, prefix) as found:
        yield found
