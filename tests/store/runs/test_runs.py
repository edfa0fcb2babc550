from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from domain.run import Run, RunState, WaitReason
from domain.section import Stagger
from store.runs.runs import Runs
from store.schema import check_batches, runs
from tests.store.harness import LIFETIME, StoreHarness, key
from tests.store.rivals import together

EVEN, ODD = key("12430"), key("12431")


def _open(store: StoreHarness, stagger: Stagger = Stagger.EVEN, *, force: bool = False) -> tuple[Run, bool]:
    return store.runs.create("cron", stagger, store.clock.now(), store.clock.now(), force=force)


def _start(store: StoreHarness, run: Run, *, fence: int = 1, deferred: int = 0) -> list[int]:
    now = store.clock.now()
    return store.runs.start(run.id, [[EVEN]], fence=fence, deferred=deferred, lifetime=LIFETIME, now=now)


def test_a_slot_has_one_run(store: StoreHarness) -> None:
    first, is_new = _open(store)
    assert is_new
    assert (first.state, first.stagger, first.slot) == (RunState.QUEUED, Stagger.EVEN, store.clock.now())
    assert _open(store) == (first, False)


def test_another_half_or_another_time_is_another_slot(store: StoreHarness) -> None:
    _open(store)
    assert _open(store, Stagger.ODD)[1]
    store.clock.advance(3600)
    assert _open(store)[1]


def test_a_forced_run_takes_no_slot_and_needs_none(store: StoreHarness) -> None:
    assert [_open(store, force=True)[1], _open(store)[1], _open(store, force=True)[1]] == [True] * 3
    ordinary, is_new = _open(store)
    assert not is_new
    assert [run.id for run in store.runs.page(None, 10)[0]][1] == ordinary.id


def test_concurrent_callers_for_a_slot_get_the_same_run(store: StoreHarness) -> None:
    found = together(*[lambda: _open(store)] * 6)
    assert len({run.id for run, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False] * 5 + [True]


def test_an_unknown_run_is_none(store: StoreHarness) -> None:
    assert store.runs.get("no such run") is None


def test_pages_go_from_the_newest_to_the_oldest_without_gaps(store: StoreHarness) -> None:
    ids = [store.open().id for _ in range(5)]
    first, cursor = store.runs.page(None, 2)
    second, cursor = store.runs.page(cursor, 2)
    third, end = store.runs.page(cursor, 2)
    assert [run.id for run in first + second + third] == ids[::-1]
    assert end is None


def test_a_page_that_holds_exactly_the_rest_has_no_next(store: StoreHarness) -> None:
    store.open()
    assert store.runs.page(None, 1)[1] is None


def test_a_started_run_has_its_batches_and_counts(store: StoreHarness) -> None:
    run, _ = _open(store)
    now = store.clock.advance(2)
    ids = store.runs.start(run.id, [[EVEN, ODD], [key("1")]], fence=1, deferred=4, lifetime=LIFETIME, now=now)
    started = store.reload(run)
    assert (started.state, started.started_at, started.sections, started.deferred) == (
        *(RunState.RUNNING, now),
        *(7, 4),
    )
    batches = [store.checks.get(batch_id) for batch_id in ids]
    assert [batch.pending for batch in batches if batch] == [{EVEN: 0, ODD: 0}, {key("1"): 0}]
    assert {batch.source for batch in batches if batch} == {"scraper"}


def test_a_run_without_anything_to_check_is_finished_at_once(store: StoreHarness) -> None:
    run, _ = _open(store)
    assert store.runs.start(run.id, [], fence=1, deferred=3, lifetime=LIFETIME, now=store.clock.now()) == []
    finished = store.reload(run)
    assert (finished.state, finished.sections, finished.deferred) == (RunState.FINISHED, 3, 3)
    assert finished.finished_at == store.runs.last_finished_at() == store.clock.now()


def test_a_run_starts_once(store: StoreHarness) -> None:
    run, _ = _open(store)
    assert len(_start(store, run)) == 1
    before = store.dump()
    assert _start(store, run) == []
    assert store.dump() == before


def test_a_dispatcher_whose_lease_went_to_another_changes_nothing(store: StoreHarness) -> None:
    stale, newer = _open(store)[0], _open(store, Stagger.ODD)[0]
    _start(store, newer, fence=8)
    before = store.dump()
    assert _start(store, stale, fence=7) == []
    assert store.dump() == before
    assert len(_start(store, stale, fence=9)) == 1


def test_of_concurrent_dispatchers_one_starts_the_run(store: StoreHarness) -> None:
    run, _ = _open(store)
    started = together(*[lambda: _start(store, run)] * 6)
    assert sorted(map(len, started)) == [0] * 5 + [1]
    assert store.reload(run).sections == 1


@pytest.mark.parametrize("state", [RunState.SKIPPED, RunState.FAILED])
def test_a_queued_run_can_be_abandoned_and_then_never_starts(store: StoreHarness, state: RunState) -> None:
    run, _ = _open(store)
    store.runs.abandon(run.id, state, "another run holds the lease", store.clock.now())
    ended = store.reload(run)
    assert (ended.state, ended.reason) == (state, "another run holds the lease")
    assert ended.finished_at == store.clock.now()
    assert _start(store, run) == []


def test_a_running_run_cannot_be_abandoned(store: StoreHarness) -> None:
    run, _ = store.start([EVEN])
    store.runs.abandon(run.id, RunState.SKIPPED, "too late", store.clock.now())
    assert store.reload(run) == run


def test_runs_wait_from_the_oldest_on(store: StoreHarness) -> None:
    first = store.open()
    store.clock.advance(5)
    second = store.open()
    now = store.clock.now()
    assert store.runs.queued(now) == [first.id, second.id]
    assert store.runs.queued(now - timedelta(seconds=5)) == [first.id]
    assert store.runs.queued(now - timedelta(seconds=6)) == []
    _start(store, first)
    assert store.runs.queued(now) == [second.id]


def test_nothing_has_finished_before_the_first_run_did(store: StoreHarness) -> None:
    run, _ = _open(store)
    store.runs.abandon(run.id, RunState.SKIPPED, "held", store.clock.now())
    assert store.runs.last_finished_at() is None


def test_a_run_in_which_everything_failed_has_finished_and_is_no_success(store: StoreHarness) -> None:
    assert store.runs.last_succeeded_at() is None
    _, (batch_id,) = store.start([EVEN])
    store.runs.give_up(batch_id, "no answer", store.clock.now())
    assert store.runs.last_finished_at() == store.clock.now()
    assert store.runs.last_succeeded_at() is None


def test_a_run_that_checked_something_or_had_nothing_to_check_is_a_success(store: StoreHarness) -> None:
    store.watch()
    _, (seen, unanswered) = store.start([key()], [ODD])
    store.settle(seen, store.observation(1))
    store.runs.give_up(unanswered, "no answer", store.clock.now())
    assert store.runs.last_succeeded_at() == store.clock.now()
    later = store.clock.advance(60)
    store.start()
    assert store.runs.last_succeeded_at() == later


def test_a_parked_batch_is_taken_when_it_is_due_and_by_one_only(store: StoreHarness) -> None:
    _, (batch_id,) = store.start([EVEN])
    now = store.clock.now()
    store.checks.reschedule(batch_id, now + timedelta(seconds=60), WaitReason.BREAKER, "why")
    assert store.runs.claim_due_batches(now + timedelta(seconds=59)) == []
    later = now + timedelta(seconds=60)
    taken = together(*[lambda: store.runs.claim_due_batches(later)] * 6)
    assert sorted(taken) == [[]] * 5 + [[batch_id]]


def test_a_published_batch_that_stays_pending_is_lost_after_a_while_and_taken_once(
    store: StoreHarness,
) -> None:
    _, (batch_id,) = store.start([EVEN])
    published = store.clock.now()
    now = store.clock.advance(300)
    assert store.runs.claim_lost_batches(published - timedelta(milliseconds=1), now) == []
    taken = together(*[lambda: store.runs.claim_lost_batches(published, now)] * 6)
    assert sorted(taken) == [[]] * 5 + [[batch_id]]
    assert store.runs.claim_lost_batches(now, store.clock.advance(300)) == [batch_id]


def test_a_parked_batch_is_not_lost(store: StoreHarness) -> None:
    _, (batch_id,) = store.start([EVEN])
    now = store.clock.now()
    store.checks.reschedule(batch_id, now + timedelta(hours=1), WaitReason.BREAKER, "why")
    assert store.runs.claim_lost_batches(now + timedelta(hours=2), now) == []


def test_what_is_pending_at_the_deadline_is_given_up_and_the_run_finishes(store: StoreHarness) -> None:
    run, (first, second) = store.start([EVEN, ODD], [key("1")])
    store.watch()
    store.settle(first, store.observation(1))
    assert store.runs.expire(store.clock.advance(LIFETIME.total_seconds() - 1), LIFETIME) == []
    given_up = store.runs.expire(store.clock.advance(1), LIFETIME)
    assert {batch.id for batch in given_up} == {first, second}
    assert {section for batch in given_up for section in batch.pending} == {ODD, key("1")}
    ended = store.reload(run)
    assert (ended.state, ended.sections, ended.checked, ended.failed) == (RunState.FINISHED, 3, 1, 2)
    assert store.checks.get(first) is None


def test_what_is_not_due_before_the_deadline_is_left_to_the_next_run_at_once(store: StoreHarness) -> None:
    run, (late, paused, early) = store.start([EVEN], [key("1", source="campus")], [ODD, key("3")])
    now = store.clock.now()
    until = now + timedelta(hours=1)
    store.pauses.pause("campus", until, "a flood", "ada", now)
    store.checks.reschedule(late, now + LIFETIME, WaitReason.BREAKER, "why")
    store.checks.reschedule(early, now + LIFETIME - timedelta(seconds=1), WaitReason.BREAKER, "why")
    assert {batch.id for batch in store.runs.expire(now, LIFETIME)} == {late}
    assert store.reload(run).reason == "scraper could not be queried again before the deadline (why)"
    store.checks.reschedule(paused, until, WaitReason.PAUSE, "why")
    assert {batch.id for batch in store.runs.expire(now, LIFETIME)} == {paused}
    found = store.reload(run)
    assert found.reason == "campus is paused until after the deadline: a flood"
    assert (found.state, found.deferred, found.failed) == (RunState.RUNNING, 2, 0)
    assert {batch.id for batch in store.runs.expire(now + LIFETIME, LIFETIME)} == {early}
    found = store.reload(run)
    assert (found.state, found.deferred, found.failed) == (RunState.FINISHED, 2, 2)


def test_a_batch_that_is_given_up_counts_as_failed_once(store: StoreHarness) -> None:
    run, (first, second) = store.start([EVEN, ODD], [key("1")])
    given_up = store.runs.give_up(first, "a reason", store.clock.now())
    assert given_up is not None
    assert set(given_up.pending) == {EVEN, ODD}
    assert store.runs.give_up(first, "again", store.clock.now()) is None
    assert store.reload(run).state is RunState.RUNNING
    store.runs.give_up(second, "a reason", store.clock.now())
    ended = store.reload(run)
    assert (ended.state, ended.failed, ended.reason) == (RunState.FINISHED, 3, "a reason")


def test_concurrent_callers_give_up_the_same_batch_once(store: StoreHarness) -> None:
    run, _ = store.start([EVEN], [ODD])
    later = store.clock.advance(LIFETIME.total_seconds())
    given_up = together(*[lambda: store.runs.expire(later, LIFETIME)] * 4)
    assert sum(map(len, given_up)) == 2
    assert store.reload(run).failed == 2


def test_a_run_that_no_one_dispatched_fails_and_says_so(store: StoreHarness) -> None:
    run = store.open()
    assert store.runs.expire(store.clock.advance(LIFETIME.total_seconds()), LIFETIME) == []
    ended = store.reload(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "was never dispatched")
    assert store.runs.expire(store.clock.advance(1), LIFETIME) == []


def test_a_finished_run_is_not_given_up(store: StoreHarness) -> None:
    store.watch()
    store.show(1)
    before = store.dump()
    assert store.runs.expire(store.clock.advance(10 * LIFETIME.total_seconds()), LIFETIME) == []
    assert store.dump() == before


def test_the_start_of_a_run_is_whole_or_nothing(store: StoreHarness) -> None:
    run, _ = _open(store)
    broken = [[EVEN], [None]]  # the second batch cannot be written
    with pytest.raises(AttributeError):
        Runs(store.database).start(
            run.id,
            broken,  # type: ignore[arg-type]
            fence=1,
            deferred=0,
            lifetime=LIFETIME,
            now=store.clock.now(),
        )
    assert store.reload(run).state is RunState.QUEUED
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(check_batches)).scalar() == 0
        assert connection.execute(select(runs.c.fence)).scalar() is None


def test_a_batch_never_gets_the_number_of_one_that_is_recorded(store: StoreHarness) -> None:
    store.watch("12430")
    numbers = []
    for _ in range(2):
        run, _ = _open(store, force=True)
        [batch_id] = _start(store, run)
        store.settle(batch_id, store.observation(0))
        numbers.append(batch_id)
        store.clock.advance(60)
    assert numbers[0] != numbers[1]


def _of_slot(store: StoreHarness) -> Run | None:
    return store.runs.of_slot(Stagger.EVEN, store.clock.now())


@pytest.mark.parametrize("state", [RunState.SKIPPED, RunState.FAILED])
def test_a_run_that_was_abandoned_releases_its_slot(store: StoreHarness, state: RunState) -> None:
    first, _ = _open(store)
    assert _of_slot(store) == first
    store.runs.abandon(first.id, state, "the lease is held", store.clock.now())
    assert _of_slot(store) is None
    second, is_new = _open(store)
    assert is_new
    assert _of_slot(store) == second != first
    assert _open(store) == (second, False)


def test_a_run_that_was_never_dispatched_releases_its_slot(store: StoreHarness) -> None:
    slot = store.clock.now()
    store.runs.create("cron", Stagger.EVEN, slot, slot, force=False)
    later = store.clock.advance(LIFETIME.total_seconds())
    store.runs.expire(later, LIFETIME)
    _, is_new = store.runs.create("cron", Stagger.EVEN, slot, later, force=False)
    assert is_new


def test_a_run_that_checked_nothing_until_its_deadline_releases_its_slot(store: StoreHarness) -> None:
    store.watch()
    slot, (first, second) = store.clock.now(), _start_all(store)
    store.settle(first, store.observation(1))
    store.runs.expire(store.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert store.checks.get(second) is None
    assert store.runs.of_slot(Stagger.EVEN, slot) is not None  # one section was checked

    slot, _ = store.clock.now(), _start_all(store)
    store.runs.expire(store.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert store.runs.of_slot(Stagger.EVEN, slot) is None


def _start_all(store: StoreHarness) -> list[int]:
    run, now = _open(store)[0], store.clock.now()
    batches = [[EVEN], [ODD]]
    return store.runs.start(run.id, batches, fence=next(store.fences), deferred=0, lifetime=LIFETIME, now=now)


def test_a_run_whose_every_answer_was_a_failure_keeps_its_slot(store: StoreHarness) -> None:
    run, _ = _open(store)
    [batch_id] = _start(store, run)
    store.runs.give_up(batch_id, "crashed its worker 3 times", store.clock.now())
    assert store.reload(run).checked == 0
    assert _open(store)[0].id == run.id


def test_concurrent_callers_for_a_slot_that_was_returned_open_one_run(store: StoreHarness) -> None:
    first, _ = _open(store)
    now = store.clock.now()

    def give_back() -> tuple[Run, bool]:
        store.runs.abandon(first.id, RunState.SKIPPED, "held", now)
        return first, False

    found = together(give_back, *[lambda: _open(store)] * 6)
    opened = [run for run, is_new in found if is_new]
    assert len(opened) <= 1
    assert _open(store)[0] != first
    ids = {run.id for run in store.runs.page(None, 10)[0]}
    assert len(ids) == 2


def test_a_later_slot_takes_the_place_of_one_that_was_never_dispatched(store: StoreHarness) -> None:
    missed, _ = _open(store)
    odd, _ = _open(store, Stagger.ODD)
    forced, _ = _open(store, force=True)
    store.clock.advance(3600)
    latest, _ = _open(store)
    assert store.runs.queued(store.clock.now()) == [odd.id, forced.id, latest.id]
    ended = store.reload(missed)
    assert (ended.state, ended.reason) == (RunState.SKIPPED, "superseded by the run of a later slot")
    assert ended.finished_at == store.clock.now()


def test_a_run_under_way_is_not_superseded(store: StoreHarness) -> None:
    run, _ = _open(store)
    _start(store, run)
    store.clock.advance(3600)
    _open(store)
    assert store.reload(run).state is RunState.RUNNING


@pytest.mark.parametrize("checked", [0, 1])
@pytest.mark.parametrize("failed", [0, 1])
@pytest.mark.parametrize("deferred", [0, 1])
def test_success_means_in_sql_what_it_means_in_the_domain(
    store: StoreHarness, checked: int, failed: int, deferred: int
) -> None:
    batches = [[key(f"1{number}")] for number in range(checked + failed)]
    for (each,) in batches:
        store.watch(each.number)
    now = store.clock.now()
    opened = store.open()
    ids = store.runs.start(opened.id, batches, fence=1, deferred=deferred, lifetime=LIFETIME, now=now)
    for number, batch_id in enumerate(ids):
        outcome = store.observation(1, number=f"1{number}") if number < checked else None
        if outcome is None:
            store.runs.give_up(batch_id, "a reason", now)
        else:
            store.settle(batch_id, outcome)
    ended = store.reload(opened)
    assert ended.state is RunState.FINISHED
    assert (store.runs.last_succeeded_at() is not None) is ended.is_success
    assert store.runs.claim_ping(opened.id, now) is ended.is_success
    assert ended.is_success or ended.reason


def test_a_run_whose_sections_an_earlier_one_still_checks_says_so(store: StoreHarness) -> None:
    opened = store.open()
    store.runs.start(opened.id, [], fence=1, deferred=3, lifetime=LIFETIME, now=store.clock.now())
    assert store.reload(opened).reason == "3 sections are still being checked for an earlier run"
