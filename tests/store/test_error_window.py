from __future__ import annotations

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from store.database import Database
from store.error_window import WINDOW_SECONDS, ErrorWindow
from store.schema import mail_events

EVENT = {"id": "evt_1", "kind": "bounced", "received_at_ms": 1}


def test_the_errors_of_the_last_five_minutes_count() -> None:
    now = [0.0]
    window = ErrorWindow(lambda: now[0])
    assert window.read() == (0, "")
    window.add(OSError("first"))
    now[0] = WINDOW_SECONDS - 1
    window.add(ValueError("the\nlast"))
    assert window.read() == (2, "ValueError: the last")
    now[0] = WINDOW_SECONDS + 1
    assert window.read() == (1, "ValueError: the last")


def test_what_a_database_breaks_is_counted_with_its_text(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(DBAPIError), database.read() as connection:
            connection.exec_driver_sql("SELECT * FROM no_such_table")
    count, last = database.errors.read()
    assert count == 3
    assert "no_such_table" in last


def test_a_row_that_is_there_already_is_no_error_of_the_database(database: Database) -> None:
    for _ in range(5):
        try:
            with database.write() as connection:
                connection.execute(insert(mail_events).values(EVENT))
        except DBAPIError:
            continue
    assert database.errors.read() == (0, "")
