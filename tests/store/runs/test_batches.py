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
from tests.store.harness import ADA, ALAN, GRACE, StoreHarness, key
from tests.store.rivals import together

EVEN, ODD = key("12430"), key("12431")
_numbers = count(20_000)


def _open_seats(store: StoreHarness, number: str = "12430") -> int | None:
    state = store.sections.get(key(number))
    assert state is not None
    return state.open_seats


def _execute(store: StoreHarness, statement: str) -> None:
    with store.database.write() as connection:
        connection.execute(text(statement))


@contextmanager
def _one_notification_a_kind(store: StoreHarness) -> Iterator[None]:
    """A constraint that the second watcher's notification violates."""
    _execute(store, "CREATE UNIQUE INDEX one_a_kind ON watch_notifications (kind)")
    try:
        yield
    finally:
        _execute(store, "DROP INDEX one_a_kind")


def test_states_counts_and_notifications_are_written_together(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    store.check(store.observation(0), store.observation(0, number="12431"))
    store.clock.advance(1)
    run, (batch_id,) = store.start([EVEN, ODD])
    settled = store.settle(batch_id, store.observation(2), store.observation(0, number="12431"))
    assert settled == RecordedBatch([EVEN, ODD], changed=1, notifications=1, run_finished=True)
    ended = store.reload(run)
    assert (ended.state, ended.sections, ended.checked) == (RunState.FINISHED, 2, 2)
    assert (ended.failed, ended.changed, ended.notifications) == (0, 1, 1)
    assert [stored.notification.open_seats for stored in store.notifications()] == [2]


def test_the_first_observation_notifies_no_one(store: StoreHarness) -> None:
    store.watch()
    assert store.check(store.observation(3, "Ada Lovelace")).notifications == 0


def test_every_active_watch_is_notified_and_no_ended_one(store: StoreHarness) -> None:
    store.watch(email=ADA)
    store.watch(email=GRACE)
    ended = store.watch(email=ALAN)
    store.watches.end(ended.id, "unsubscribed", store.clock.now())
    store.show(0, 1)
    assert [stored.notification.email for stored in store.notifications()] == [ADA, GRACE]


def test_a_notification_that_cannot_be_written_undoes_the_states_as_well(store: StoreHarness) -> None:
    store.watch(email=ADA)
    store.watch(email=GRACE)
    store.show(0)
    store.clock.advance(1)
    run, (batch_id,) = store.start([EVEN])
    before = store.dump()
    with _one_notification_a_kind(store), pytest.raises(IntegrityError):
        store.settle(batch_id, store.observation(1))
    assert store.dump() == before
    assert store.reload(run).state is RunState.RUNNING
    assert store.settle(batch_id, store.observation(1)).notifications == 2


def test_a_state_that_cannot_be_written_notifies_no_one(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    store.check(store.observation(0), store.observation(0, number="12431"))
    store.clock.advance(1)
    _, (batch_id,) = store.start([EVEN, ODD])
    before = store.dump()
    with pytest.raises((OverflowError, DataError)):
        store.settle(batch_id, store.observation(1), store.observation(2**70, number="12431"))
    assert store.dump() == before


def test_a_batch_that_comes_again_changes_nothing(store: StoreHarness) -> None:
    store.watch()
    store.show(0)
    store.clock.advance(1)
    _, (batch_id,) = store.start([EVEN])
    store.settle(batch_id, store.observation(1))
    before = store.dump()
    assert store.settle(batch_id, store.observation(1)) == RecordedBatch()
    store.clock.advance(1)
    assert store.settle(batch_id, store.observation(0)) == RecordedBatch()
    assert store.dump() == before


def test_an_outcome_that_was_recorded_before_counts_nothing_beside_new_ones(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    run, (batch_id,) = store.start([EVEN, ODD])
    assert store.settle(batch_id, store.observation(0)).keys == [EVEN]
    store.clock.advance(1)
    assert store.settle(batch_id, store.observation(5), store.observation(0, number="12431")).keys == [ODD]
    assert store.reload(run).checked == 2
    assert (_open_seats(store), store.notifications()) == (0, [])


def test_an_older_observation_never_overwrites_a_newer_one(store: StoreHarness) -> None:
    store.watch()
    asked = store.ask(EVEN)
    store.show(0)
    assert store.settle(asked.id, store.observation(5), asked=asked) == RecordedBatch()
    assert _open_seats(store) == 0
    assert store.notifications() == []


def test_an_answer_that_was_overtaken_is_asked_for_again_without_an_attempt(store: StoreHarness) -> None:
    store.watch()
    asked = store.ask(EVEN)
    store.show(0)
    store.settle(asked.id, store.observation(0), asked=asked)
    batch = store.checks.get(asked.id)
    assert batch is not None
    assert (batch.pending, store.runs.claim_due_batches(store.clock.advance(5))) == ({EVEN: 0}, [asked.id])
    assert store.settle(asked.id, store.observation(5)).notifications == 1


def test_a_batch_that_waited_while_a_later_one_was_recorded_counts_when_it_is_asked(
    store: StoreHarness,
) -> None:
    store.watch()
    _, (parked,) = store.start([EVEN])
    store.show(0)
    assert store.settle(parked, store.observation(3)).notifications == 1
    assert _open_seats(store) == 3


@pytest.mark.parametrize("days", [1, -1])
def test_after_a_run_under_a_wrong_clock_the_next_one_sees_openings_at_the_right_time(
    store: StoreHarness, days: int
) -> None:
    store.watch()
    store.show(0, 1, 0)
    store.clock.advance(days * 86_400)
    store.show(2, 0)
    store.clock.advance(-days * 86_400)
    assert store.show(1).notifications == 1
    state, now = store.sections.get(key()), store.clock.now()
    assert state is not None
    assert (state.open_seats, state.observed_at) == (1, now)
    history = store.sections.history(key())
    assert [each.open_seats for each in history] == [1, 0, 2, 0, 1, 0]
    times = [each.observed_at for each in history]
    assert times == sorted(times, reverse=True)
    assert now - timedelta(minutes=1) <= min(times) <= max(times) <= now


def test_nothing_was_seen_after_it_is_written(store: StoreHarness) -> None:
    store.watch()
    early = replace(store.observation(0), observed_at=store.clock.now() + timedelta(days=1))
    store.check(early)
    state = store.sections.get(key())
    assert state is not None
    assert state.observed_at == store.clock.now()


def test_an_older_miss_counts_nothing(store: StoreHarness) -> None:
    store.watch()
    asked = store.ask(EVEN)
    store.show(1)
    store.settle(asked.id, store.missing(), asked=asked)
    state = store.sections.get(key())
    assert state is not None
    assert state.misses == 0


def test_observations_of_one_millisecond_are_distinguished(store: StoreHarness) -> None:
    store.watch()
    store.show(0)
    assert store.check(store.observation(5)).changed == 1


def test_unknown_counts_are_kept_unknown(store: StoreHarness) -> None:
    store.watch()
    store.show(None)
    assert _open_seats(store) is None
    store.show(0, None)
    assert _open_seats(store) == 0


def test_a_failure_stays_pending_until_its_attempts_are_spent(store: StoreHarness) -> None:
    store.watch()
    run, (batch_id,) = store.start([EVEN])
    for attempt in range(1, MAX_ATTEMPTS):
        assert store.settle(batch_id, CheckFailure(EVEN, UpstreamError("500"))) == RecordedBatch()
        batch = store.checks.get(batch_id)
        assert batch is not None
        assert batch.pending == {EVEN: attempt}
    assert store.settle(batch_id, CheckFailure(EVEN, UpstreamError("500"))) == RecordedBatch(
        [EVEN], run_finished=True
    )
    ended = store.reload(run)
    assert (ended.state, ended.checked, ended.failed) == (RunState.FINISHED, 0, 1)


def test_a_failure_is_asked_again_at_the_given_time(store: StoreHarness) -> None:
    _, (batch_id,) = store.start([EVEN])
    store.settle(batch_id, CheckFailure(EVEN, UpstreamError("500")), retry_seconds=20)
    assert store.runs.claim_due_batches(store.clock.advance(19)) == []
    assert store.runs.claim_lost_batches(store.clock.now(), store.clock.now()) == []
    assert store.runs.claim_due_batches(store.clock.advance(1)) == [batch_id]


def test_what_will_never_succeed_is_given_up_at_once(store: StoreHarness) -> None:
    run, (batch_id,) = store.start([EVEN])
    assert store.settle(batch_id, CheckFailure(EVEN, RejectedError("400"))).keys == [EVEN]
    assert store.reload(run).failed == 1


def test_being_asked_to_wait_costs_no_attempt(store: StoreHarness) -> None:
    _, (batch_id,) = store.start([EVEN])
    for _ in range(2 * MAX_ATTEMPTS):
        store.settle(batch_id, CheckFailure(EVEN, RateLimitedError("429")))
    batch = store.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {EVEN: 0}


def test_a_failure_leaves_the_state_as_it_was(store: StoreHarness) -> None:
    store.watch()
    store.show(3)
    before = store.sections.get(key())
    store.clock.advance(1)
    store.check(CheckFailure(EVEN, UpstreamError("500")))
    assert store.sections.get(key()) == before


def test_sections_that_were_not_asked_stay_pending_without_an_attempt(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    _, (batch_id,) = store.start([EVEN, ODD])
    store.settle(batch_id, store.observation(0))
    batch = store.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {ODD: 0}


def test_parking_counts_no_attempt(store: StoreHarness) -> None:
    _, (batch_id,) = store.start([EVEN])
    before = store.checks.get(batch_id)
    store.checks.reschedule(batch_id, store.clock.now() + timedelta(seconds=60), WaitReason.BREAKER, "why")
    assert store.checks.get(batch_id) == before


def test_a_batch_that_is_gone_is_none_and_can_be_parked_and_recorded_in_vain(store: StoreHarness) -> None:
    before = store.dump()
    assert store.checks.get(404) is None
    store.checks.reschedule(404, store.clock.now(), WaitReason.BREAKER, "why")
    assert store.settle(404, store.observation(1)) == RecordedBatch()
    assert store.dump() == before


def test_concurrent_callers_that_record_the_same_batch_count_once(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    store.check(store.observation(0), store.observation(0, number="12431"))
    store.clock.advance(1)
    run, (batch_id,) = store.start([EVEN, ODD])
    outcomes: list[Outcome] = [store.observation(1), store.observation(2, number="12431")]
    settled = together(*[lambda: store.settle(batch_id, *outcomes)] * 5)
    assert sorted(each.notifications for each in settled) == [0, 0, 0, 0, 2]
    assert sum(each.run_finished for each in settled) == 1
    ended = store.reload(run)
    assert (ended.state, ended.checked, ended.changed, ended.notifications) == (RunState.FINISHED, 2, 2, 2)
    assert len(store.notifications()) == 2


def test_concurrent_callers_that_record_the_last_batches_finish_the_run_once(store: StoreHarness) -> None:
    keys = [key(str(number)) for number in range(100, 106)]
    for each in keys:
        store.watch(each.number)
    for _ in range(3):
        store.clock.advance(1)
        run, ids = store.start(*[[each] for each in keys])
        jobs = [
            lambda batch_id=batch_id, each=each: store.settle(
                batch_id, store.observation(1, number=each.number)
            )
            for batch_id, each in zip(ids, keys, strict=True)
        ]
        settled = together(*jobs)
        assert sum(each.run_finished for each in settled) == 1
        ended = store.reload(run)
        assert (ended.state, ended.checked) == (RunState.FINISHED, len(keys))


def test_concurrent_runs_that_see_the_same_opening_notify_once(store: StoreHarness) -> None:
    store.watch()
    store.show(0)
    store.clock.advance(1)
    seen = store.observation(1)
    batches = [store.ask(EVEN) for _ in range(4)]
    jobs = [lambda batch=batch: store.settle(batch.id, seen, asked=batch) for batch in batches]
    assert sorted(each.notifications for each in together(*jobs)) == [0, 0, 0, 1]


def test_concurrent_callers_that_hold_sections_in_different_orders_do_not_block_each_other(
    store: StoreHarness,
) -> None:
    keys = [key(str(number)) for number in range(100, 110)]
    for each in keys:
        store.watch(each.number)
    for _ in range(5):
        store.clock.advance(1)
        forth: list[Outcome] = [store.observation(1, number=each.number) for each in keys]
        first, second = store.start(keys)[1][0], store.start(keys)[1][0]
        together(lambda: store.settle(first, *forth), lambda: store.settle(second, *forth[::-1]))  # noqa: B023
    found, _ = store.runs.page(None, 100)
    assert sum(run.checked for run in found) >= 50  # what was overtaken waits to be asked again


def test_a_notification_exists_once_for_each_watch_kind_and_episode(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    with store.database.read() as connection:
        row = dict(connection.execute(notifications.select()).mappings().one())
    del row["id"]
    with pytest.raises(IntegrityError), store.database.write() as connection:
        connection.execute(insert(notifications).values(row))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(min_value=0, max_value=8), st.sampled_from([None, 0, 1, 2, 3])), max_size=10
    ),
    st.integers(min_value=1, max_value=3),
)
def test_the_store_reports_what_the_domain_reports(
    store: StoreHarness, story: list[tuple[int, int | None]], min_seats: int
) -> None:
    number = str(next(_numbers))
    stored = store.watch(number, min_seats=min_seats)
    watch, state, notified = (
        Watch(ADA, key(number), min_seats=min_seats),
        SectionState(key(number)),
        set[int](),
    )
    start = store.clock.now()
    for minute, open_seats in story:
        observed_at = start - timedelta(minutes=minute)
        observation = Observation(key(number), observed_at, open_seats, None, None)
        state, changes = advance(state, observation)
        notified |= {change.episode for change in changes if wants(watch, change)}
        store.check(observation)
    assert store.sections.get(key(number)) == state
    page, _ = store.deliveries.page(watch_id=stored.id, state=None, before=None, limit=100)
    episodes = [each.notification.episode for each in page]
    assert sorted(episodes) == sorted(notified)
