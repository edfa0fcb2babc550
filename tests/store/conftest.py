"""One suite, two databases: every test that asks for `database` runs on SQLite and on PostgreSQL.

To copy a file costs nothing; to copy a PostgreSQL database costs a tenth of a second, most of what a test
takes. So the tests of one session share a migrated one and find it empty; what changes its schema asks for
`empty`, which is a database of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from store import migrate
from store.database import Database
from store.schema import metadata
from tests.store.harness import StoreHarness
from tests.support.postgres import PostgresServer, require_binaries, running

MIGRATED = "migrated"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server with a migrated database."""
    with running(require_binaries()) as server:
        server.create(MIGRATED)
        _migrate(server.url(MIGRATED))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rollcall.db"
    _migrate(_sqlite_url(path))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if backend == "sqlite":
        yield _sqlite_url(tmp_path / "rollcall.db")
    else:
        yield from _new(request.getfixturevalue("postgres"))


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database that holds nothing."""
    if backend == "sqlite":
        path = tmp_path / "rollcall.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield _sqlite_url(path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        yield server.url(MIGRATED)
        server.empty(MIGRATED, metadata.tables)


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    yield from _open(empty_url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    yield from _open(database_url)


@pytest.fixture
def store(database: Database) -> StoreHarness:
    return StoreHarness(database)


def _open(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _new(server: PostgresServer) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    server.create(name)
    try:
        yield server.url(name)
    finally:
        server.drop(name)


def _migrate(url: str) -> None:
    for database in _open(url):
        migrate.upgrade(database)


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"
