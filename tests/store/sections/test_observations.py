from __future__ import annotations

from datetime import timedelta

import pytest

from domain.notification import NotificationState
from domain.observation import Observation, Outcome
from domain.plausibility import CONFIRM_OPENINGS_AFTER
from domain.run import RunState
from tests.store.harness import DETAILS, StoreHarness, key

NUMBERS = [str(number) for number in range(12430, 12440)]


def _look(store: StoreHarness, open_seats: int, capacity: int = 40) -> list[Outcome]:
    store.clock.advance(3600)
    return [
        Observation(key(number), store.clock.now(), open_seats, capacity, None, DETAILS) for number in NUMBERS
    ]


def _watch_all(store: StoreHarness, open_seats: int) -> None:
    for number in NUMBERS:
        store.watch(number)
    store.check(*_look(store, open_seats))


def _known(store: StoreHarness) -> set[tuple[int | None, int | None]]:
    states = [store.sections.get(key(number)) for number in NUMBERS]
    return {(state.open_seats, state.capacity) for state in states if state is not None}


def test_a_term_that_loses_all_its_seats_for_a_while_sends_no_mail(store: StoreHarness) -> None:
    _watch_all(store, 3)
    store.check(*_look(store, 0, 0))
    assert _known(store) == {(3, 40)}
    store.check(*_look(store, 0, 0))
    store.check(*_look(store, 3))
    assert (_known(store), store.notifications()) == ({(3, 40)}, [])
    store.check(*_look(store, 0)[:1])
    store.check(*_look(store, 1)[:1])
    assert len(store.notifications()) == 1


@pytest.mark.parametrize("capacity", [40, 0])
def test_mail_of_open_seats_waits_while_its_source_shows_none(store: StoreHarness, capacity: int) -> None:
    _watch_all(store, 0)
    for number in NUMBERS:
        store.check(*[seen for seen in _look(store, 3) if seen.key == key(number)])
    store.check(*_look(store, 0, capacity))
    assert _known(store) == {(3, 40)}
    assert (store.send(), store.outbox.is_due(store.clock.now())) == ([], False)
    store.check(*_look(store, 3))
    assert len(store.send()) == len(NUMBERS)


def test_mail_of_open_seats_is_withdrawn_once_it_is_confirmed_that_there_are_none(
    store: StoreHarness,
) -> None:
    _watch_all(store, 0)
    for number in NUMBERS:
        store.check(*[seen for seen in _look(store, 3) if seen.key == key(number)])
    for _ in range(3):
        store.check(*_look(store, 0))
        assert store.send() == []
    assert {stored.state for stored in store.notifications()} == {NotificationState.SUPPRESSED}


def test_an_anomaly_about_a_section_that_no_one_watches_any_more_holds_no_other_up(
    store: StoreHarness,
) -> None:
    _watch_all(store, 3)
    watch = store.watch(NUMBERS[0])
    store.check(*_look(store, 0))
    store.watches.end(watch.id, "stopped by the operator", store.clock.now())
    store.check(*_look(store, 3)[1:])
    store.check(*_look(store, 0)[1:2])
    store.check(*_look(store, 3)[1:2])
    assert len(store.notifications()) == 1


def test_a_term_that_is_really_closed_is_known_to_be_after_three_observations(store: StoreHarness) -> None:
    _watch_all(store, 3)
    for known in ((3, 40), (3, 40), (0, 0)):
        store.check(*_look(store, 0, 0))
        assert _known(store) == {known}


def test_a_term_that_opens_as_a_whole_is_asked_for_again_a_minute_later_and_reported(
    store: StoreHarness,
) -> None:
    _watch_all(store, 0)
    outcomes = _look(store, 2)
    run, (batch_id,) = store.start([outcome.key for outcome in outcomes])
    assert store.settle(batch_id, *outcomes, retry_seconds=1).keys == []
    assert store.runs.claim_due_batches(store.clock.now() + timedelta(seconds=2)) == []
    assert store.runs.claim_due_batches(store.clock.now() + CONFIRM_OPENINGS_AFTER) == [batch_id]
    settled = store.settle(batch_id, *_look(store, 2))
    assert (settled.notifications, len(settled.keys)) == (10, 10)
    assert (store.reload(run).state, store.reload(run).checked) == (RunState.FINISHED, 10)


def test_a_term_that_opens_by_mistake_sends_no_mail(store: StoreHarness) -> None:
    _watch_all(store, 0)
    store.check(*_look(store, 40))
    store.check(*_look(store, 0))
    assert (_known(store), store.notifications()) == ({(0, 40)}, [])
