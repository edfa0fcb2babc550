from __future__ import annotations

import pytest

from domain.watch import Watch
from store.watch_import import add_many
from tests.store.harness import ADA, GRACE, StoreHarness, key


def _steps(store: StoreHarness, watch: Watch) -> int:
    """How many hundreds of steps SQLite's machine takes for one more watch."""
    steps: list[int] = []
    with store.database.write() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(lambda: steps.append(1), 100)
        assert add_many(connection, [watch], store.clock.now()) == [True]
        driver.set_progress_handler(None, 0)
    return len(steps)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_watch_of_a_crowded_section_is_no_more_work_tha_one_of_an_empty_one(store: StoreHarness) -> None:
    alone = _steps(store, Watch(ADA, key()))
    crowd = [Watch(f"s{number}@example.edu", key()) for number in range(1000)]
    store.watches.add_all(crowd, store.clock.now())
    assert _steps(store, Watch(GRACE, key())) <= alone + 2
