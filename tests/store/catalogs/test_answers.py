from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from domain.catalog_poll import ListedRow, digest
from domain.observation import Observation
from domain.section_state import MISSES_TO_RETIRE
from domain.watch import NotificationKind
from store.schema import section_history, sections
from tests.store.catalogs.catalog import TERM, PolledCatalog, key
from tests.store.harness import StoreHarness


def index(store: StoreHarness) -> dict[str, int | None]:
    """The open seats of each section that the index lists."""
    columns = sections.c
    query = select(columns.number, columns.open_seats).where(columns.retired.is_(False), columns.misses == 0)
    with store.database.read() as connection:
        return {row.number: row.open_seats for row in connection.execute(query)}


def history(store: StoreHarness) -> list[tuple[str, int | None]]:
    columns = section_history.c
    query = select(sections.c.number, columns.open_seats).join(sections).order_by(columns.id)
    with store.database.read() as connection:
        return [(number, seats) for number, seats in connection.execute(query)]


def test_every_listed_section_is_stored_and_the_first_poll_announces_nothing(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.watch("101")
    recorded = catalog.poll(n101=3, n102=0)
    assert (recorded.notifications, index(store)) == (0, {"101": 3, "102": 0})
    state = store.sections.get(key("102"))
    assert state is not None
    assert (state.capacity, state.instructor, state.details.course) == (30, "Ada Lovelace", "CSE 100")


def test_an_opening_is_announced_once(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.poll(n101=0, n102=0)
    catalog.watch("101")
    assert [catalog.poll(**rows).notifications for rows in ({}, {"n101": 2}, {}, {"n101": 0})] == [0, 1, 0, 0]
    assert catalog.poll(n101=1).notifications == 1
    assert [stored.notification.episode for stored in store.notifications()] == [1, 2]


def test_unwatched_sections_have_neither_history_nor_notifications(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n101=0, n102=0)
    catalog.watch("101")
    catalog.poll(n101=1, n102=1)
    assert (history(store), len(store.notifications())) == ([("101", 0), ("101", 1)], 1)
    assert index(store) == {"101": 1, "102": 1}


def test_a_watch_knows_the_seats_of_the_index_at_once(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.poll(n101=0)
    assert catalog.watch("101").section.open_seats == 0
    assert catalog.poll(n101=1).notifications == 1


def test_a_poll_without_changes_writes_no_section(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.rows = {str(number): number % 3 for number in range(100, 1100)}
    catalog.poll()
    catalog.watch("100")
    catalog.poll()
    written: list[str] = []
    event.listen(
        store.database._engine,
        "before_cursor_execute",
        lambda *args: written.append(args[2]) if not args[2].startswith("SELECT") else None,
    )
    catalog.poll()
    assert {statement.split()[1] for statement in written if statement.startswith("UPDATE")} == {
        "catalog_polls"
    }
    assert {statement.split()[2] for statement in written if statement.startswith("INSERT")} == {
        "catalog_polls"
    }


def test_a_missing_section_is_missed_once_in_half_an_hour_and_then_retired(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.rows = {str(number): 0 for number in range(100, 110)}
    catalog.poll()
    catalog.watch("100")
    del catalog.rows["100"]
    misses = []
    for _ in range(60 * (MISSES_TO_RETIRE - 1)):
        catalog.poll()
        state = store.sections.get(key("100"))
        assert state is not None
        misses.append(state.misses)
        if state.retired:
            break
    assert (misses[0], misses[28], misses[31], misses[-1], len(misses)) == (1, 1, 2, 3, 61)
    (stored,) = store.notifications()
    assert stored.notification.kind is NotificationKind.SECTION_RETIRED


def test_a_retired_section_that_is_listed_again_announces_its_seats(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.rows = {str(number): 1 for number in range(100, 110)}
    catalog.poll()
    catalog.watch("100")
    del catalog.rows["100"]
    for _ in range(MISSES_TO_RETIRE):
        catalog.poll(seconds=1800)
    assert len(store.notifications()) == 1
    assert catalog.poll(n100=1).notifications == 1


def test_a_section_that_was_only_missed_once_is_listed_again_without_an_event(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n100=1, n101=0)
    catalog.watch("100")
    del catalog.rows["100"]
    catalog.poll()
    catalog.poll(n100=1)
    state = store.sections.get(key("100"))
    assert state is not None
    assert (state.misses, store.notifications()) == (0, [])


def test_an_unwatched_section_that_a_whole_term_no_longer_lists_leaves_the_index(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n100=0, n101=0, n102=0)
    stored = catalog.watch("100")
    catalog.poll(n100=1)
    store.watches.end(stored.id, "stopped", store.clock.now())
    del catalog.rows["100"], catalog.rows["101"]
    catalog.poll()
    assert (index(store), store.sections.get(key("101"))) == ({"102": 0}, None)
    kept = store.sections.get(key("100"))
    assert kept is not None
    assert kept.retired
    catalog.poll(n100=1)
    assert index(store) == {"100": 1, "102": 0}


def test_a_section_of_a_retired_row_that_is_watched_again_announces_its_seats(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n100=1, n101=0)
    catalog.watch("100")
    store.terms.end(TERM, store.clock.now())
    catalog.watch("100")
    assert catalog.poll().notifications == 1


def test_a_silent_answer_changes_states_and_announces_nothing(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n100=0)
    catalog.watch("100")
    catalog.rows["100"] = 3
    catalog.read(catalog.begin(), "100", announces=False)
    assert (index(store), store.notifications()) == ({"100": 3}, [])


def test_five_openings_among_many_sections_are_no_mass_change(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.rows = {str(number): 0 for number in range(100, 120)}
    catalog.poll()
    for number in range(100, 105):
        catalog.watch(str(number))
        catalog.rows[str(number)] = 1
    assert catalog.poll().notifications == 5


def test_openings_of_most_sections_at_once_are_confirmed_by_the_next_poll(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.rows = {str(number): 0 for number in range(100, 110)}
    catalog.poll()
    catalog.watch("100")
    catalog.rows = dict.fromkeys(catalog.rows, 1)
    recorded = catalog.poll()
    assert (recorded.notifications, recorded.recheck_at) == (0, store.clock.now() + timedelta(minutes=1))
    assert catalog.poll().notifications == 1
    assert catalog.poll().changed == 0


def test_the_row_decides_whether_a_section_has_changed_and_its_details_what_is_announced(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n100=0)
    catalog.watch("100")
    catalog.rows["100"] = 1
    listed = catalog.listed("100")
    detailed = Observation(listed.key, listed.observed_at, 7, 30, None)
    poll = catalog.begin()
    recorded = store.answers.record(poll, [ListedRow(listed, detailed)], [], store.clock.now())
    assert (recorded.notifications, index(store)) == (1, {"100": 7})
    assert store.answers.diff(TERM, [listed]).unchanged == [listed]


@pytest.mark.parametrize("numbers", [0, 1, 1200])
def test_an_answer_of_any_size_is_compared(catalog: PolledCatalog, numbers: int) -> None:
    catalog.rows = {str(number): 0 for number in range(numbers)}
    catalog.poll()
    diff = catalog.store.answers.diff(TERM, [catalog.listed(number) for number in catalog.rows])
    assert (len(diff.unchanged), diff.new, diff.changed) == (numbers, [], [])


def test_equal_rows_have_equal_digests_whenever_they_are_seen(catalog: PolledCatalog) -> None:
    catalog.rows["100"] = 1
    first = digest(catalog.listed("100"))
    catalog.store.clock.advance(60)
    assert digest(catalog.listed("100")) == first
    catalog.rows["100"] = 2
    assert digest(catalog.listed("100")) != first
    assert -(2**63) <= first < 2**63
