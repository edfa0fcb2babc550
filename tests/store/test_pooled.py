"""PostgreSQL behind PgBouncer in transaction mode: each transaction may reach another session."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import text

from store import migrate
from store.database import Database
from tests.store.harness import StoreHarness, key
from tests.store.rivals import together
from tests.support.pgbouncer import PgBouncer, pooling
from tests.support.postgres import PostgresServer

THREADS, ROUNDS = 8, 12  # a statement is prepared at its sixth execution on a connection


@pytest.fixture(scope="module")
def pooler(postgres: PostgresServer) -> Iterator[PgBouncer]:
    with pooling(postgres) as running:
        yield running


@pytest.fixture
def pooled(pooler: PgBouncer, postgres: PostgresServer) -> Iterator[Database]:
    """A migrated database of its own, through the pooler."""
    postgres.create("pooled")
    database = Database(pooler.url("pooled"))
    migrate.upgrade(database)
    yield database
    database.close()
    postgres.drop("pooled")


def test_more_clients_than_sessions_repeat_their_statements(pooled: Database) -> None:
    def live(number: int) -> None:
        store, source = StoreHarness(pooled), f"source-{number}"
        for place in range(ROUNDS):
            stored = store.watch(f"1{place:04}", f"student{number}@example.edu")
            store.pauses.pause(source, store.clock.now(), "works", "operator", store.clock.now())
            assert store.claim() is None
            assert store.watches.end(stored.id, "deleted", store.clock.now())
            assert store.pauses.resume(source)

    together(*[partial(live, number) for number in range(THREADS)])
    assert len(StoreHarness(pooled).watches.all_on(key("10000"))) == THREADS


def test_migrations_wait_for_each_other_through_the_pooler(
    pooler: PgBouncer, postgres: PostgresServer
) -> None:
    postgres.create("rivals")
    databases = [Database(pooler.url("rivals")) for _ in range(3)]
    together(*[lambda database=database: migrate.upgrade(database) for database in databases])
    assert migrate.is_current(databases[0])
    for database in databases:
        database.close()
    postgres.drop("rivals")


def test_a_snapshot_is_of_one_moment(pooled: Database) -> None:
    store = StoreHarness(pooled)
    with pooled.snapshot() as connection:
        count = text("SELECT count(*) FROM watches")
        before = connection.execute(count).scalar()
        store.watch()
        assert connection.execute(count).scalar() == before == 0


def test_statements_are_prepared_only_where_the_session_is_ours(
    pooled: Database, postgres: PostgresServer
) -> None:
    direct = Database(postgres.url("pooled"))
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    for database, is_any in ((pooled, False), (direct, True)):
        with database.read() as connection:
            for _ in range(10):
                found = connection.execute(prepared).scalar()
        assert bool(found) is is_any
    direct.close()
