from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event

import pytest

from domain.errors import UpstreamError
from domain.observation import Outcome
from domain.section import SectionKey
from operations.initial_check import check_all, initial_check
from operations.watches import Listing
from tests.support.catalog import Catalog, Row
from tests.support.harness import Harness


class Silent(Catalog):
    """A catalog that does not answer before it may."""

    may_answer = Event()

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        assert self.may_answer.wait(30)
        return super().observe(keys)


def test_the_catalog_is_asked_at_once_and_nothing_is_stored(rollcall: Harness) -> None:
    rollcall.catalog.rows[rollcall.catalog.key("12430")] = Row()
    known, unknown = rollcall.watch("12430"), rollcall.watch("99999")

    assert initial_check(rollcall.services, known) is Listing.LISTED
    assert initial_check(rollcall.services, unknown) is Listing.UNKNOWN
    state = rollcall.services.store.sections.get(unknown.watch.key)
    assert state is not None
    assert (state.revision, state.misses) == (0, 0)


def test_what_was_seen_is_not_asked_again(rollcall: Harness) -> None:
    key = rollcall.catalog.key("12430")
    rollcall.catalog.rows[key] = Row()
    watch = rollcall.watch("12430")
    rollcall.run()
    asked = len(rollcall.catalog.calls)

    stored = rollcall.services.store.watches.get(watch.id)

    assert stored is not None
    assert initial_check(rollcall.services, stored) is Listing.LISTED
    assert len(rollcall.catalog.calls) == asked


def test_a_catalog_that_fails_turns_no_one_away_and_counts_for_the_breaker(rollcall: Harness) -> None:
    key = rollcall.catalog.key("12430")
    rollcall.catalog.errors[key] = UpstreamError("503")

    assert initial_check(rollcall.services, rollcall.watch("12430")) is Listing.UNCHECKED
    assert rollcall.services.breakers[key.source].snapshot().failures == 1


def test_an_open_breaker_lets_nothing_out(rollcall: Harness) -> None:
    rollcall.services.breakers[rollcall.catalog.name].force_open("the test")

    assert initial_check(rollcall.services, rollcall.watch("12430")) is Listing.UNCHECKED
    assert rollcall.catalog.calls == []


def test_a_silent_catalog_is_not_waited_for(rollcall: Harness) -> None:
    silent = Silent(rollcall.clock)
    services = replace(rollcall.services, sources={silent.name: silent})
    try:
        assert initial_check(services, rollcall.watch("12430"), limit_seconds=0.05) is Listing.UNCHECKED
    finally:
        silent.may_answer.set()


@pytest.mark.parametrize("is_watched", [True, False])
def test_what_was_missed_and_never_listed_is_counted_by_source(rollcall: Harness, is_watched: bool) -> None:
    watch = rollcall.watch("99999")
    for number in range(12430, 12440):
        rollcall.catalog.rows[rollcall.catalog.key(str(number))] = Row()
        rollcall.watch(str(number))
    rollcall.run()
    if not is_watched:
        rollcall.services.store.watches.end(watch.id, "the test", rollcall.clock.now())

    found = rollcall.services.store.sections.unknown()

    assert {source: (of.count, of.example) for source, of in found.items()} == (
        {rollcall.catalog.name: (1, "2261/99999")} if is_watched else {}
    )


def test_new_sections_of_an_import_are_checked_by_a_run_of_their_own(rollcall: Harness) -> None:
    rollcall.catalog.rows[rollcall.catalog.key("12430")] = Row()
    rollcall.watch("12430")
    rollcall.run()
    rollcall.watch("12431")
    rollcall.watch("99999")
    keys = {rollcall.catalog.key(number) for number in ("12430", "12431", "99999")}
    rollcall.catalog.rows[rollcall.catalog.key("12431")] = Row()

    assert check_all(rollcall.services, keys, "import") == 2
    rollcall.process_messages()

    assert rollcall.catalog.calls[-1] == sorted(keys - {rollcall.catalog.key("12430")})
    newest = rollcall.services.store.runs.page(None, 1)[0][0]
    assert (newest.trigger, newest.state, newest.sections) == ("import-check", "finished", 2)
    assert check_all(rollcall.services, keys, "import") == 0


def test_while_a_run_begins_new_sections_wait_for_the_next(rollcall: Harness) -> None:
    rollcall.watch("12430")
    lease = rollcall.services.cron_lease
    with lease.holding("another", {}, above=0):
        assert check_all(rollcall.services, [rollcall.catalog.key("12430")], "import") == 0
