from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from store.database import BUSY_TIMEOUT_MS, Database, insert_new
from store.schema import mail_events, suppressions, watches
from tests.store.rivals import DEADLINE_SECONDS, together

EVENT = {"id": "event-1", "kind": "delivered", "received_at_ms": 0}


def _events(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(mail_events)).all())


def _moment(database: Database) -> int:
    with database.read() as connection:
        found: int = connection.execute(select(mail_events.c.received_at_ms)).scalar_one()
    return found


def test_a_write_commits_at_its_end(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(mail_events).values(EVENT))
        assert _events(database) == 0
    assert _events(database) == 1


def _write_and_fail(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(mail_events).values(EVENT))
        connection.execute(
            insert(suppressions).values(email="ada@example.edu", reason="test", created_at_ms=0)
        )
        raise KeyError("a bug")


def test_a_write_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(KeyError, match="a bug"):
        _write_and_fail(database)
    with database.read() as connection:
        assert connection.execute(select(suppressions)).all() == []
    assert _events(database) == 0


def test_a_read_commits_nothing(database: Database) -> None:
    with database.read() as connection:
        connection.execute(insert(mail_events).values(EVENT))
    assert _events(database) == 0


def test_a_second_writer_waits_for_the_first(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(mail_events).values(EVENT))
    order: list[str] = []
    is_holding = Event()

    def follow() -> None:
        is_holding.wait(DEADLINE_SECONDS)
        with database.write() as connection:
            connection.execute(update(mail_events).values(received_at_ms=2))
            order.append("second")

    thread = Thread(target=follow)
    thread.start()
    with database.write() as connection:
        connection.execute(update(mail_events).values(received_at_ms=1))
        is_holding.set()
        thread.join(0.1)
        order.append("first")
    thread.join(DEADLINE_SECONDS)
    assert order == ["first", "second"]
    assert _moment(database) == 2


def test_writers_that_read_first_do_not_fail_each_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(mail_events).values(EVENT))

    def add_ten() -> None:
        for _ in range(10):
            with database.write() as connection:
                connection.execute(select(mail_events)).all()
                later = mail_events.c.received_at_ms + 1
                connection.execute(update(mail_events).values(received_at_ms=later))

    together(*[add_ten] * 6)
    assert _moment(database) == 60


def test_a_new_row_is_inserted_once(database: Database) -> None:
    with database.write() as connection:
        assert insert_new(connection, mail_events, EVENT)
        assert not insert_new(connection, mail_events, EVENT | {"received_at_ms": 9})
    assert _moment(database) == 0


def test_of_many_concurrent_callers_one_inserts_the_row(database: Database) -> None:
    def try_insert() -> bool:
        with database.write() as connection:
            return insert_new(connection, mail_events, EVENT)

    assert sorted(together(*[try_insert] * 6)) == [False] * 5 + [True]


def test_a_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    row = {"email": "ada@example.edu", "section_id": 404, "kinds": [], "min_seats": 1, "created_at_ms": 0}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(watches).values(row))


@pytest.mark.parametrize("backend", ["sqlite"])  # PostgreSQL does so by default
def test_a_commit_in_sqlite_is_on_the_disk_when_it_returns(database: Database) -> None:
    with database.read() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]
    assert found == ["wal", 2, 1, BUSY_TIMEOUT_MS]


def test_the_probe_asks_for_an_answer_and_for_a_write(database: Database, tmp_path: Path) -> None:
    database.check_writable()
    nowhere = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'rollcall.db'}")
    with pytest.raises(OperationalError):
        nowhere.check_writable()


def test_a_closed_database_connects_again_when_it_is_used(database: Database) -> None:
    database.close()
    database.check_writable()
