"""One small system behind one real server for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from store import migrate
from store.database import Database
from tests.ingress import site as sites
from tests.support.harness import Harness, harness, sqlite_url


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    folder = tmp_path_factory.mktemp("database")
    database = Database(sqlite_url(folder))
    migrate.upgrade(database)
    database.close()
    return folder


@pytest.fixture
def rollcall(
    empty_database: Path, tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> Iterator[Harness]:
    shutil.copytree(empty_database, tmp_path / "rollcall")
    with harness(sqlite_url(tmp_path / "rollcall"), redis_client, prefix) as found:
        yield found


@pytest.fixture(scope="session")
def stage() -> Iterator[sites.Stage]:
    with sites.stage() as found:
        yield found


@pytest.fixture
def site(stage: sites.Stage, rollcall: Harness) -> Iterator[sites.Site]:
    with sites.site(stage, rollcall) as found:
        yield found
