from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.exc import DataError, IntegrityError

from domain.errors import RateLimitedError, RejectedError, UpstreamError
from domain.observation import CheckFailure, Observation, Outcome
from domain.run import MAX_ATTEMPTS, RunState, WaitReason
from domain.section_state import SectionState, advance
from domain.watch import Watch
from store.runs.batches import RecordedBatch
from store.schema import notifications
from tests.domain.timeline import wants
from tests.store.desk import ADA, ALAN, GRACE, Desk, key
from tests.store.rivals import together

EVEN, ODD = key("12430"), key("12431")
_numbers = count(20_000)


def _open_seats(desk: Desk, number: str = "12430") -> int | None:
    state = desk.sections.get(key(number))
    assert state is not None
    return state.open_seats


def _execute(desk: Desk, statement: str) -> None:
    with desk.database.write() as connection:
        connection.execute(text(statement))


@contextmanager
def _one_notification_a_kind(desk: Desk) -> Iterator[None]:
    """A constraint that the second watcher's notification violates."""
    _execute(desk, "CREATE UNIQUE INDEX one_a_kind ON watch_notifications (kind)")
    try:
        yield
    finally:
        _execute(desk, "DROP INDEX one_a_kind")


def test_states_counts_and_notifications_are_written_together(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    desk.check(desk.seen(0), desk.seen(0, number="12431"))
    desk.clock.advance(1)
    run, (batch_id,) = desk.start([EVEN, ODD])
    settled = desk.settle(batch_id, desk.seen(2), desk.seen(0, number="12431"))
    assert settled == RecordedBatch([EVEN, ODD], changed=1, notifications=1, run_finished=True)
    ended = desk.reread(run)
    assert (ended.state, ended.sections, ended.checked) == (RunState.FINISHED, 2, 2)
    assert (ended.failed, ended.changed, ended.notifications) == (0, 1, 1)
    assert [stored.notification.open_seats for stored in desk.notifications()] == [2]


def test_the_first_observation_notifies_no_one(desk: Desk) -> None:
    desk.watch()
    assert desk.check(desk.seen(3, "Ada Lovelace")).notifications == 0


def test_every_active_watch_is_notified_and_no_ended_one(desk: Desk) -> None:
    desk.watch(email=ADA)
    desk.watch(email=GRACE)
    ended = desk.watch(email=ALAN)
    desk.watches.end(ended.id, "unsubscribed", desk.clock.now())
    desk.show(0, 1)
    assert [stored.notification.email for stored in desk.notifications()] == [ADA, GRACE]


def test_a_notification_that_cannot_be_written_undoes_the_states_as_well(desk: Desk) -> None:
    desk.watch(email=ADA)
    desk.watch(email=GRACE)
    desk.show(0)
    desk.clock.advance(1)
    run, (batch_id,) = desk.start([EVEN])
    before = desk.dump()
    with _one_notification_a_kind(desk), pytest.raises(IntegrityError):
        desk.settle(batch_id, desk.seen(1))
    assert desk.dump() == before
    assert desk.reread(run).state is RunState.RUNNING
    assert desk.settle(batch_id, desk.seen(1)).notifications == 2


def test_a_state_that_cannot_be_written_notifies_no_one(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    desk.check(desk.seen(0), desk.seen(0, number="12431"))
    desk.clock.advance(1)
    _, (batch_id,) = desk.start([EVEN, ODD])
    before = desk.dump()
    with pytest.raises((OverflowError, DataError)):
        desk.settle(batch_id, desk.seen(1), desk.seen(2**70, number="12431"))
    assert desk.dump() == before


def test_a_batch_that_comes_again_changes_nothing(desk: Desk) -> None:
    desk.watch()
    desk.show(0)
    desk.clock.advance(1)
    _, (batch_id,) = desk.start([EVEN])
    desk.settle(batch_id, desk.seen(1))
    before = desk.dump()
    assert desk.settle(batch_id, desk.seen(1)) == RecordedBatch()
    desk.clock.advance(1)
    assert desk.settle(batch_id, desk.seen(0)) == RecordedBatch()
    assert desk.dump() == before


def test_an_outcome_that_was_recorded_before_counts_nothing_beside_new_ones(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    run, (batch_id,) = desk.start([EVEN, ODD])
    assert desk.settle(batch_id, desk.seen(0)).keys == [EVEN]
    desk.clock.advance(1)
    assert desk.settle(batch_id, desk.seen(5), desk.seen(0, number="12431")).keys == [ODD]
    assert desk.reread(run).checked == 2
    assert (_open_seats(desk), desk.notifications()) == (0, [])


def test_an_older_observation_never_overwrites_a_newer_one(desk: Desk) -> None:
    desk.watch()
    asked = desk.ask(EVEN)
    desk.show(0)
    assert desk.settle(asked.id, desk.seen(5), asked=asked) == RecordedBatch()
    assert _open_seats(desk) == 0
    assert desk.notifications() == []


def test_an_answer_that_was_overtaken_is_asked_for_again_without_an_attempt(desk: Desk) -> None:
    desk.watch()
    asked = desk.ask(EVEN)
    desk.show(0)
    desk.settle(asked.id, desk.seen(0), asked=asked)
    batch = desk.checks.get(asked.id)
    assert batch is not None
    assert (batch.pending, desk.runs.claim_due_batches(desk.clock.advance(5))) == ({EVEN: 0}, [asked.id])
    assert desk.settle(asked.id, desk.seen(5)).notifications == 1


def test_a_batch_that_waited_while_a_later_one_was_recorded_counts_when_it_is_asked(desk: Desk) -> None:
    desk.watch()
    _, (parked,) = desk.start([EVEN])
    desk.show(0)
    assert desk.settle(parked, desk.seen(3)).notifications == 1
    assert _open_seats(desk) == 3


@pytest.mark.parametrize("days", [1, -1])
def test_after_a_run_under_a_wrong_clock_the_next_one_sees_openings_at_the_right_time(
    desk: Desk, days: int
) -> None:
    desk.watch()
    desk.show(0, 1, 0)
    desk.clock.advance(days * 86_400)
    desk.show(2, 0)
    desk.clock.advance(-days * 86_400)
    assert desk.show(1).notifications == 1
    state, now = desk.sections.get(key()), desk.clock.now()
    assert state is not None
    assert (state.open_seats, state.observed_at) == (1, now)
    history = desk.sections.history(key())
    assert [each.open_seats for each in history] == [1, 0, 2, 0, 1, 0]
    times = [each.observed_at for each in history]
    assert times == sorted(times, reverse=True)
    assert now - timedelta(minutes=1) <= min(times) <= max(times) <= now


def test_nothing_was_seen_after_it_is_written(desk: Desk) -> None:
    desk.watch()
    early = replace(desk.seen(0), observed_at=desk.clock.now() + timedelta(days=1))
    desk.check(early)
    state = desk.sections.get(key())
    assert state is not None
    assert state.observed_at == desk.clock.now()


def test_an_older_miss_counts_nothing(desk: Desk) -> None:
    desk.watch()
    asked = desk.ask(EVEN)
    desk.show(1)
    desk.settle(asked.id, desk.missing(), asked=asked)
    state = desk.sections.get(key())
    assert state is not None
    assert state.misses == 0


def test_observations_of_one_millisecond_are_distinguished(desk: Desk) -> None:
    desk.watch()
    desk.show(0)
    assert desk.check(desk.seen(5)).changed == 1


def test_unknown_counts_are_kept_unknown(desk: Desk) -> None:
    desk.watch()
    desk.show(None)
    assert _open_seats(desk) is None
    desk.show(0, None)
    assert _open_seats(desk) == 0


def test_a_failure_stays_pending_until_its_attempts_are_spent(desk: Desk) -> None:
    desk.watch()
    run, (batch_id,) = desk.start([EVEN])
    for attempt in range(1, MAX_ATTEMPTS):
        assert desk.settle(batch_id, CheckFailure(EVEN, UpstreamError("500"))) == RecordedBatch()
        batch = desk.checks.get(batch_id)
        assert batch is not None
        assert batch.pending == {EVEN: attempt}
    assert desk.settle(batch_id, CheckFailure(EVEN, UpstreamError("500"))) == RecordedBatch(
        [EVEN], run_finished=True
    )
    ended = desk.reread(run)
    assert (ended.state, ended.checked, ended.failed) == (RunState.FINISHED, 0, 1)


def test_a_failure_is_asked_again_at_the_given_time(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    desk.settle(batch_id, CheckFailure(EVEN, UpstreamError("500")), retry_seconds=20)
    assert desk.runs.claim_due_batches(desk.clock.advance(19)) == []
    assert desk.runs.claim_lost_batches(desk.clock.now(), desk.clock.now()) == []
    assert desk.runs.claim_due_batches(desk.clock.advance(1)) == [batch_id]


def test_what_will_never_succeed_is_given_up_at_once(desk: Desk) -> None:
    run, (batch_id,) = desk.start([EVEN])
    assert desk.settle(batch_id, CheckFailure(EVEN, RejectedError("400"))).keys == [EVEN]
    assert desk.reread(run).failed == 1


def test_being_asked_to_wait_costs_no_attempt(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    for _ in range(2 * MAX_ATTEMPTS):
        desk.settle(batch_id, CheckFailure(EVEN, RateLimitedError("429")))
    batch = desk.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {EVEN: 0}


def test_a_failure_leaves_the_state_as_it_was(desk: Desk) -> None:
    desk.watch()
    desk.show(3)
    before = desk.sections.get(key())
    desk.clock.advance(1)
    desk.check(CheckFailure(EVEN, UpstreamError("500")))
    assert desk.sections.get(key()) == before


def test_sections_that_were_not_asked_stay_pending_without_an_attempt(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    _, (batch_id,) = desk.start([EVEN, ODD])
    desk.settle(batch_id, desk.seen(0))
    batch = desk.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {ODD: 0}


def test_parking_counts_no_attempt(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    before = desk.checks.get(batch_id)
    desk.checks.reschedule(batch_id, desk.clock.now() + timedelta(seconds=60), WaitReason.BREAKER, "why")
    assert desk.checks.get(batch_id) == before


def test_a_batch_that_is_gone_is_none_and_can_be_parked_and_recorded_in_vain(desk: Desk) -> None:
    before = desk.dump()
    assert desk.checks.get(404) is None
    desk.checks.reschedule(404, desk.clock.now(), WaitReason.BREAKER, "why")
    assert desk.settle(404, desk.seen(1)) == RecordedBatch()
    assert desk.dump() == before


def test_concurrent_callers_that_record_the_same_batch_count_once(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    desk.check(desk.seen(0), desk.seen(0, number="12431"))
    desk.clock.advance(1)
    run, (batch_id,) = desk.start([EVEN, ODD])
    outcomes: list[Outcome] = [desk.seen(1), desk.seen(2, number="12431")]
    settled = together(*[lambda: desk.settle(batch_id, *outcomes)] * 5)
    assert sorted(each.notifications for each in settled) == [0, 0, 0, 0, 2]
    assert sum(each.run_finished for each in settled) == 1
    ended = desk.reread(run)
    assert (ended.state, ended.checked, ended.changed, ended.notifications) == (RunState.FINISHED, 2, 2, 2)
    assert len(desk.notifications()) == 2


def test_concurrent_callers_that_record_the_last_batches_finish_the_run_once(desk: Desk) -> None:
    keys = [key(str(number)) for number in range(100, 106)]
    for each in keys:
        desk.watch(each.number)
    for _ in range(3):
        desk.clock.advance(1)
        run, ids = desk.start(*[[each] for each in keys])
        jobs = [
            lambda batch_id=batch_id, each=each: desk.settle(batch_id, desk.seen(1, number=each.number))
            for batch_id, each in zip(ids, keys, strict=True)
        ]
        settled = together(*jobs)
        assert sum(each.run_finished for each in settled) == 1
        ended = desk.reread(run)
        assert (ended.state, ended.checked) == (RunState.FINISHED, len(keys))


def test_concurrent_runs_that_see_the_same_opening_notify_once(desk: Desk) -> None:
    desk.watch()
    desk.show(0)
    desk.clock.advance(1)
    seen = desk.seen(1)
    batches = [desk.ask(EVEN) for _ in range(4)]
    jobs = [lambda batch=batch: desk.settle(batch.id, seen, asked=batch) for batch in batches]
    assert sorted(each.notifications for each in together(*jobs)) == [0, 0, 0, 1]


def test_concurrent_callers_that_hold_sections_in_different_orders_do_not_block_each_other(
    desk: Desk,
) -> None:
    keys = [key(str(number)) for number in range(100, 110)]
    for each in keys:
        desk.watch(each.number)
    for _ in range(5):
        desk.clock.advance(1)
        forth: list[Outcome] = [desk.seen(1, number=each.number) for each in keys]
        first, second = desk.start(keys)[1][0], desk.start(keys)[1][0]
        together(lambda: desk.settle(first, *forth), lambda: desk.settle(second, *forth[::-1]))  # noqa: B023
    found, _ = desk.runs.page(None, 100)
    assert sum(run.checked for run in found) >= 50  # what was overtaken waits to be asked again


def test_a_notification_exists_once_for_each_watch_kind_and_episode(desk: Desk) -> None:
    desk.watch()
    desk.show(0, 1)
    with desk.database.read() as connection:
        row = dict(connection.execute(notifications.select()).mappings().one())
    del row["id"]
    with pytest.raises(IntegrityError), desk.database.write() as connection:
        connection.execute(insert(notifications).values(row))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(min_value=0, max_value=8), st.sampled_from([None, 0, 1, 2, 3])), max_size=10
    ),
    st.integers(min_value=1, max_value=3),
)
def test_the_store_reports_what_the_domain_reports(
    desk: Desk, story: list[tuple[int, int | None]], min_seats: int
) -> None:
    number = str(next(_numbers))
    stored = desk.watch(number, min_seats=min_seats)
    watch, state, told = Watch(ADA, key(number), min_seats=min_seats), SectionState(key(number)), set[int]()
    start = desk.clock.now()
    for minute, open_seats in story:
        observed_at = start - timedelta(minutes=minute)
        observation = Observation(key(number), observed_at, open_seats, None, None)
        state, changes = advance(state, observation)
        told |= {change.episode for change in changes if wants(watch, change)}
        desk.check(observation)
    assert desk.sections.get(key(number)) == state
    page, _ = desk.deliveries.page(watch_id=stored.id, state=None, before=None, limit=100)
    episodes = [each.notification.episode for each in page]
    assert sorted(episodes) == sorted(told)
