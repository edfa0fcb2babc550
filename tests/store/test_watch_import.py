from __future__ import annotations

import pytest

from domain.watch import Watch
from store.watch_import import add_many
from tests.store.desk import ADA, GRACE, Desk, key


def _steps(desk: Desk, watch: Watch) -> int:
    """How many hundreds of steps SQLite's machine takes for one more watch."""
    steps: list[int] = []
    with desk.database.write() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(lambda: steps.append(1), 100)
        assert add_many(connection, [watch], desk.clock.now()) == [True]
        driver.set_progress_handler(None, 0)
    return len(steps)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_watch_of_a_crowded_section_is_no_more_work_tha_one_of_an_empty_one(desk: Desk) -> None:
    alone = _steps(desk, Watch(ADA, key()))
    crowd = [Watch(f"s{number}@example.edu", key()) for number in range(1000)]
    desk.watches.add_all(crowd, desk.clock.now())
    assert _steps(desk, Watch(GRACE, key())) <= alone + 2
