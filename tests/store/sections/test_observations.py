from __future__ import annotations

from datetime import timedelta

import pytest

from domain.notification import NotificationState
from domain.observation import Observation, Outcome
from domain.plausibility import CONFIRM_OPENINGS_AFTER
from domain.run import RunState
from tests.store.desk import DETAILS, Desk, key

NUMBERS = [str(number) for number in range(12430, 12440)]


def _look(desk: Desk, open_seats: int, capacity: int = 40) -> list[Outcome]:
    desk.clock.advance(3600)
    return [
        Observation(key(number), desk.clock.now(), open_seats, capacity, None, DETAILS) for number in NUMBERS
    ]


def _watch_all(desk: Desk, open_seats: int) -> None:
    for number in NUMBERS:
        desk.watch(number)
    desk.check(*_look(desk, open_seats))


def _known(desk: Desk) -> set[tuple[int | None, int | None]]:
    states = [desk.sections.get(key(number)) for number in NUMBERS]
    return {(state.open_seats, state.capacity) for state in states if state is not None}


def test_a_term_that_loses_all_its_seats_for_a_while_sends_no_mail(desk: Desk) -> None:
    _watch_all(desk, 3)
    desk.check(*_look(desk, 0, 0))
    assert _known(desk) == {(3, 40)}
    desk.check(*_look(desk, 0, 0))
    desk.check(*_look(desk, 3))
    assert (_known(desk), desk.notifications()) == ({(3, 40)}, [])
    desk.check(*_look(desk, 0)[:1])
    desk.check(*_look(desk, 1)[:1])
    assert len(desk.notifications()) == 1


@pytest.mark.parametrize("capacity", [40, 0])
def test_mail_of_open_seats_waits_while_its_source_shows_none(desk: Desk, capacity: int) -> None:
    _watch_all(desk, 0)
    for number in NUMBERS:
        desk.check(*[seen for seen in _look(desk, 3) if seen.key == key(number)])
    desk.check(*_look(desk, 0, capacity))
    assert _known(desk) == {(3, 40)}
    assert (desk.send(), desk.outbox.is_due(desk.clock.now())) == ([], False)
    desk.check(*_look(desk, 3))
    assert len(desk.send()) == len(NUMBERS)


def test_mail_of_open_seats_is_withdrawn_once_it_is_confirmed_that_there_are_none(desk: Desk) -> None:
    _watch_all(desk, 0)
    for number in NUMBERS:
        desk.check(*[seen for seen in _look(desk, 3) if seen.key == key(number)])
    for _ in range(3):
        desk.check(*_look(desk, 0))
        assert desk.send() == []
    assert {stored.state for stored in desk.notifications()} == {NotificationState.SUPPRESSED}


def test_an_anomaly_about_a_section_that_no_one_watches_any_more_holds_no_other_up(desk: Desk) -> None:
    _watch_all(desk, 3)
    watch = desk.watch(NUMBERS[0])
    desk.check(*_look(desk, 0))
    desk.watches.end(watch.id, "stopped by the operator", desk.clock.now())
    desk.check(*_look(desk, 3)[1:])
    desk.check(*_look(desk, 0)[1:2])
    desk.check(*_look(desk, 3)[1:2])
    assert len(desk.notifications()) == 1


def test_a_term_that_is_really_closed_is_known_to_be_after_three_observations(desk: Desk) -> None:
    _watch_all(desk, 3)
    for known in ((3, 40), (3, 40), (0, 0)):
        desk.check(*_look(desk, 0, 0))
        assert _known(desk) == {known}


def test_a_term_that_opens_as_a_whole_is_asked_for_again_a_minute_later_and_reported(desk: Desk) -> None:
    _watch_all(desk, 0)
    outcomes = _look(desk, 2)
    run, (batch_id,) = desk.start([outcome.key for outcome in outcomes])
    assert desk.settle(batch_id, *outcomes, retry_seconds=1).keys == []
    assert desk.runs.claim_due_batches(desk.clock.now() + timedelta(seconds=2)) == []
    assert desk.runs.claim_due_batches(desk.clock.now() + CONFIRM_OPENINGS_AFTER) == [batch_id]
    settled = desk.settle(batch_id, *_look(desk, 2))
    assert (settled.notifications, len(settled.keys)) == (10, 10)
    assert (desk.reread(run).state, desk.reread(run).checked) == (RunState.FINISHED, 10)


def test_a_term_that_opens_by_mistake_sends_no_mail(desk: Desk) -> None:
    _watch_all(desk, 0)
    desk.check(*_look(desk, 40))
    desk.check(*_look(desk, 0))
    assert (_known(desk), desk.notifications()) == ({(0, 40)}, [])
