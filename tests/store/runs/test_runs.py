from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from domain.run import Run, RunState, WaitReason
from domain.section import Stagger
from store.runs.runs import Runs
from store.schema import check_batches, runs
from tests.store.desk import LIFETIME, Desk, key
from tests.store.rivals import together

EVEN, ODD = key("12430"), key("12431")


def _open(desk: Desk, stagger: Stagger = Stagger.EVEN, *, force: bool = False) -> tuple[Run, bool]:
    return desk.runs.create("cron", stagger, desk.clock.now(), desk.clock.now(), force=force)


def _start(desk: Desk, run: Run, *, fence: int = 1, deferred: int = 0) -> list[int]:
    now = desk.clock.now()
    return desk.runs.start(run.id, [[EVEN]], fence=fence, deferred=deferred, lifetime=LIFETIME, now=now)


def test_a_slot_has_one_run(desk: Desk) -> None:
    first, is_new = _open(desk)
    assert is_new
    assert (first.state, first.stagger, first.slot) == (RunState.QUEUED, Stagger.EVEN, desk.clock.now())
    assert _open(desk) == (first, False)


def test_another_half_or_another_time_is_another_slot(desk: Desk) -> None:
    _open(desk)
    assert _open(desk, Stagger.ODD)[1]
    desk.clock.advance(3600)
    assert _open(desk)[1]


def test_a_forced_run_takes_no_slot_and_needs_none(desk: Desk) -> None:
    assert [_open(desk, force=True)[1], _open(desk)[1], _open(desk, force=True)[1]] == [True] * 3
    ordinary, is_new = _open(desk)
    assert not is_new
    assert [run.id for run in desk.runs.page(None, 10)[0]][1] == ordinary.id


def test_concurrent_callers_for_a_slot_get_the_same_run(desk: Desk) -> None:
    found = together(*[lambda: _open(desk)] * 6)
    assert len({run.id for run, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False] * 5 + [True]


def test_an_unknown_run_is_none(desk: Desk) -> None:
    assert desk.runs.get("no such run") is None


def test_pages_go_from_the_newest_to_the_oldest_without_gaps(desk: Desk) -> None:
    ids = [desk.open().id for _ in range(5)]
    first, cursor = desk.runs.page(None, 2)
    second, cursor = desk.runs.page(cursor, 2)
    third, end = desk.runs.page(cursor, 2)
    assert [run.id for run in first + second + third] == ids[::-1]
    assert end is None


def test_a_page_that_holds_exactly_the_rest_has_no_next(desk: Desk) -> None:
    desk.open()
    assert desk.runs.page(None, 1)[1] is None


def test_a_started_run_has_its_batches_and_counts(desk: Desk) -> None:
    run, _ = _open(desk)
    now = desk.clock.advance(2)
    ids = desk.runs.start(run.id, [[EVEN, ODD], [key("1")]], fence=1, deferred=4, lifetime=LIFETIME, now=now)
    started = desk.reread(run)
    assert (started.state, started.started_at, started.sections, started.deferred) == (
        *(RunState.RUNNING, now),
        *(7, 4),
    )
    batches = [desk.checks.get(batch_id) for batch_id in ids]
    assert [batch.pending for batch in batches if batch] == [{EVEN: 0, ODD: 0}, {key("1"): 0}]
    assert {batch.source for batch in batches if batch} == {"scraper"}


def test_a_run_without_anything_to_check_is_finished_at_once(desk: Desk) -> None:
    run, _ = _open(desk)
    assert desk.runs.start(run.id, [], fence=1, deferred=3, lifetime=LIFETIME, now=desk.clock.now()) == []
    finished = desk.reread(run)
    assert (finished.state, finished.sections, finished.deferred) == (RunState.FINISHED, 3, 3)
    assert finished.finished_at == desk.runs.last_finished_at() == desk.clock.now()


def test_a_run_starts_once(desk: Desk) -> None:
    run, _ = _open(desk)
    assert len(_start(desk, run)) == 1
    before = desk.dump()
    assert _start(desk, run) == []
    assert desk.dump() == before


def test_a_dispatcher_whose_lease_went_to_another_changes_nothing(desk: Desk) -> None:
    stale, newer = _open(desk)[0], _open(desk, Stagger.ODD)[0]
    _start(desk, newer, fence=8)
    before = desk.dump()
    assert _start(desk, stale, fence=7) == []
    assert desk.dump() == before
    assert len(_start(desk, stale, fence=9)) == 1


def test_of_concurrent_dispatchers_one_starts_the_run(desk: Desk) -> None:
    run, _ = _open(desk)
    started = together(*[lambda: _start(desk, run)] * 6)
    assert sorted(map(len, started)) == [0] * 5 + [1]
    assert desk.reread(run).sections == 1


@pytest.mark.parametrize("state", [RunState.SKIPPED, RunState.FAILED])
def test_a_queued_run_can_be_abandoned_and_then_never_starts(desk: Desk, state: RunState) -> None:
    run, _ = _open(desk)
    desk.runs.abandon(run.id, state, "another run holds the lease", desk.clock.now())
    ended = desk.reread(run)
    assert (ended.state, ended.reason) == (state, "another run holds the lease")
    assert ended.finished_at == desk.clock.now()
    assert _start(desk, run) == []


def test_a_running_run_cannot_be_abandoned(desk: Desk) -> None:
    run, _ = desk.start([EVEN])
    desk.runs.abandon(run.id, RunState.SKIPPED, "too late", desk.clock.now())
    assert desk.reread(run) == run


def test_runs_wait_from_the_oldest_on(desk: Desk) -> None:
    first = desk.open()
    desk.clock.advance(5)
    second = desk.open()
    now = desk.clock.now()
    assert desk.runs.queued(now) == [first.id, second.id]
    assert desk.runs.queued(now - timedelta(seconds=5)) == [first.id]
    assert desk.runs.queued(now - timedelta(seconds=6)) == []
    _start(desk, first)
    assert desk.runs.queued(now) == [second.id]


def test_nothing_has_finished_before_the_first_run_did(desk: Desk) -> None:
    run, _ = _open(desk)
    desk.runs.abandon(run.id, RunState.SKIPPED, "held", desk.clock.now())
    assert desk.runs.last_finished_at() is None


def test_a_run_in_which_everything_failed_has_finished_and_is_no_success(desk: Desk) -> None:
    assert desk.runs.last_succeeded_at() is None
    _, (batch_id,) = desk.start([EVEN])
    desk.runs.give_up(batch_id, "nobody answered", desk.clock.now())
    assert desk.runs.last_finished_at() == desk.clock.now()
    assert desk.runs.last_succeeded_at() is None


def test_a_run_that_checked_something_or_had_nothing_to_check_is_a_success(desk: Desk) -> None:
    desk.watch()
    _, (seen, unanswered) = desk.start([key()], [ODD])
    desk.settle(seen, desk.seen(1))
    desk.runs.give_up(unanswered, "nobody answered", desk.clock.now())
    assert desk.runs.last_succeeded_at() == desk.clock.now()
    later = desk.clock.advance(60)
    desk.start()
    assert desk.runs.last_succeeded_at() == later


def test_a_parked_batch_is_taken_when_it_is_due_and_by_one_only(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    now = desk.clock.now()
    desk.checks.reschedule(batch_id, now + timedelta(seconds=60), WaitReason.BREAKER, "why")
    assert desk.runs.claim_due_batches(now + timedelta(seconds=59)) == []
    later = now + timedelta(seconds=60)
    taken = together(*[lambda: desk.runs.claim_due_batches(later)] * 6)
    assert sorted(taken) == [[]] * 5 + [[batch_id]]


def test_a_published_batch_that_stays_pending_is_lost_after_a_while_and_taken_once(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    published = desk.clock.now()
    now = desk.clock.advance(300)
    assert desk.runs.claim_lost_batches(published - timedelta(milliseconds=1), now) == []
    taken = together(*[lambda: desk.runs.claim_lost_batches(published, now)] * 6)
    assert sorted(taken) == [[]] * 5 + [[batch_id]]
    assert desk.runs.claim_lost_batches(now, desk.clock.advance(300)) == [batch_id]


def test_a_parked_batch_is_not_lost(desk: Desk) -> None:
    _, (batch_id,) = desk.start([EVEN])
    now = desk.clock.now()
    desk.checks.reschedule(batch_id, now + timedelta(hours=1), WaitReason.BREAKER, "why")
    assert desk.runs.claim_lost_batches(now + timedelta(hours=2), now) == []


def test_what_is_pending_at_the_deadline_is_given_up_and_the_run_finishes(desk: Desk) -> None:
    run, (first, second) = desk.start([EVEN, ODD], [key("1")])
    desk.watch()
    desk.settle(first, desk.seen(1))
    assert desk.runs.expire(desk.clock.advance(LIFETIME.total_seconds() - 1), LIFETIME) == []
    given_up = desk.runs.expire(desk.clock.advance(1), LIFETIME)
    assert {batch.id for batch in given_up} == {first, second}
    assert {section for batch in given_up for section in batch.pending} == {ODD, key("1")}
    ended = desk.reread(run)
    assert (ended.state, ended.sections, ended.checked, ended.failed) == (RunState.FINISHED, 3, 1, 2)
    assert desk.checks.get(first) is None


def test_what_is_not_due_before_the_deadline_is_left_to_the_next_run_at_once(desk: Desk) -> None:
    run, (late, paused, early) = desk.start([EVEN], [key("1", source="campus")], [ODD, key("3")])
    now = desk.clock.now()
    until = now + timedelta(hours=1)
    desk.pauses.pause("campus", until, "a flood", "ada", now)
    desk.checks.reschedule(late, now + LIFETIME, WaitReason.BREAKER, "why")
    desk.checks.reschedule(early, now + LIFETIME - timedelta(seconds=1), WaitReason.BREAKER, "why")
    assert {batch.id for batch in desk.runs.expire(now, LIFETIME)} == {late}
    assert desk.reread(run).reason == "scraper could not be queried again before the deadline (why)"
    desk.checks.reschedule(paused, until, WaitReason.PAUSE, "why")
    assert {batch.id for batch in desk.runs.expire(now, LIFETIME)} == {paused}
    found = desk.reread(run)
    assert found.reason == "campus is paused until after the deadline: a flood"
    assert (found.state, found.deferred, found.failed) == (RunState.RUNNING, 2, 0)
    assert {batch.id for batch in desk.runs.expire(now + LIFETIME, LIFETIME)} == {early}
    found = desk.reread(run)
    assert (found.state, found.deferred, found.failed) == (RunState.FINISHED, 2, 2)


def test_a_batch_that_is_given_up_counts_as_failed_once(desk: Desk) -> None:
    run, (first, second) = desk.start([EVEN, ODD], [key("1")])
    given_up = desk.runs.give_up(first, "a reason", desk.clock.now())
    assert given_up is not None
    assert set(given_up.pending) == {EVEN, ODD}
    assert desk.runs.give_up(first, "again", desk.clock.now()) is None
    assert desk.reread(run).state is RunState.RUNNING
    desk.runs.give_up(second, "a reason", desk.clock.now())
    ended = desk.reread(run)
    assert (ended.state, ended.failed, ended.reason) == (RunState.FINISHED, 3, "a reason")


def test_concurrent_callers_give_up_the_same_batch_once(desk: Desk) -> None:
    run, _ = desk.start([EVEN], [ODD])
    later = desk.clock.advance(LIFETIME.total_seconds())
    given_up = together(*[lambda: desk.runs.expire(later, LIFETIME)] * 4)
    assert sum(map(len, given_up)) == 2
    assert desk.reread(run).failed == 2


def test_a_run_that_no_one_dispatched_fails_and_says_so(desk: Desk) -> None:
    run = desk.open()
    assert desk.runs.expire(desk.clock.advance(LIFETIME.total_seconds()), LIFETIME) == []
    ended = desk.reread(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "was never dispatched")
    assert desk.runs.expire(desk.clock.advance(1), LIFETIME) == []


def test_a_finished_run_is_not_given_up(desk: Desk) -> None:
    desk.watch()
    desk.show(1)
    before = desk.dump()
    assert desk.runs.expire(desk.clock.advance(10 * LIFETIME.total_seconds()), LIFETIME) == []
    assert desk.dump() == before


def test_the_start_of_a_run_is_whole_or_nothing(desk: Desk) -> None:
    run, _ = _open(desk)
    broken = [[EVEN], [None]]  # the second batch cannot be written
    with pytest.raises(AttributeError):
        Runs(desk.database).start(
            run.id,
            broken,  # type: ignore[arg-type]
            fence=1,
            deferred=0,
            lifetime=LIFETIME,
            now=desk.clock.now(),
        )
    assert desk.reread(run).state is RunState.QUEUED
    with desk.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(check_batches)).scalar() == 0
        assert connection.execute(select(runs.c.fence)).scalar() is None


def test_a_batch_never_gets_the_number_of_one_that_is_recorded(desk: Desk) -> None:
    desk.watch("12430")
    numbers = []
    for _ in range(2):
        run, _ = _open(desk, force=True)
        [batch_id] = _start(desk, run)
        desk.settle(batch_id, desk.seen(0))
        numbers.append(batch_id)
        desk.clock.advance(60)
    assert numbers[0] != numbers[1]


def _of_slot(desk: Desk) -> Run | None:
    return desk.runs.of_slot(Stagger.EVEN, desk.clock.now())


@pytest.mark.parametrize("state", [RunState.SKIPPED, RunState.FAILED])
def test_a_run_that_was_abandoned_releases_its_slot(desk: Desk, state: RunState) -> None:
    first, _ = _open(desk)
    assert _of_slot(desk) == first
    desk.runs.abandon(first.id, state, "the lease is held", desk.clock.now())
    assert _of_slot(desk) is None
    second, is_new = _open(desk)
    assert is_new
    assert _of_slot(desk) == second != first
    assert _open(desk) == (second, False)


def test_a_run_that_was_never_dispatched_releases_its_slot(desk: Desk) -> None:
    slot = desk.clock.now()
    desk.runs.create("cron", Stagger.EVEN, slot, slot, force=False)
    later = desk.clock.advance(LIFETIME.total_seconds())
    desk.runs.expire(later, LIFETIME)
    _, is_new = desk.runs.create("cron", Stagger.EVEN, slot, later, force=False)
    assert is_new


def test_a_run_that_checked_nothing_until_its_deadline_releases_its_slot(desk: Desk) -> None:
    desk.watch()
    slot, (first, second) = desk.clock.now(), _start_all(desk)
    desk.settle(first, desk.seen(1))
    desk.runs.expire(desk.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert desk.checks.get(second) is None
    assert desk.runs.of_slot(Stagger.EVEN, slot) is not None  # one section was checked

    slot, _ = desk.clock.now(), _start_all(desk)
    desk.runs.expire(desk.clock.advance(LIFETIME.total_seconds()), LIFETIME)
    assert desk.runs.of_slot(Stagger.EVEN, slot) is None


def _start_all(desk: Desk) -> list[int]:
    run, now = _open(desk)[0], desk.clock.now()
    batches = [[EVEN], [ODD]]
    return desk.runs.start(run.id, batches, fence=next(desk.fences), deferred=0, lifetime=LIFETIME, now=now)


def test_a_run_whose_every_answer_was_a_failure_keeps_its_slot(desk: Desk) -> None:
    run, _ = _open(desk)
    [batch_id] = _start(desk, run)
    desk.runs.give_up(batch_id, "crashed its worker 3 times", desk.clock.now())
    assert desk.reread(run).checked == 0
    assert _open(desk)[0].id == run.id


def test_concurrent_callers_for_a_slot_that_was_returned_open_one_run(desk: Desk) -> None:
    first, _ = _open(desk)
    now = desk.clock.now()

    def give_back() -> tuple[Run, bool]:
        desk.runs.abandon(first.id, RunState.SKIPPED, "held", now)
        return first, False

    found = together(give_back, *[lambda: _open(desk)] * 6)
    opened = [run for run, is_new in found if is_new]
    assert len(opened) <= 1
    assert _open(desk)[0] != first
    ids = {run.id for run in desk.runs.page(None, 10)[0]}
    assert len(ids) == 2


def test_a_later_slot_takes_the_place_of_one_that_was_never_dispatched(desk: Desk) -> None:
    missed, _ = _open(desk)
    odd, _ = _open(desk, Stagger.ODD)
    forced, _ = _open(desk, force=True)
    desk.clock.advance(3600)
    latest, _ = _open(desk)
    assert desk.runs.queued(desk.clock.now()) == [odd.id, forced.id, latest.id]
    ended = desk.reread(missed)
    assert (ended.state, ended.reason) == (RunState.SKIPPED, "superseded by the run of a later slot")
    assert ended.finished_at == desk.clock.now()


def test_a_run_under_way_is_not_superseded(desk: Desk) -> None:
    run, _ = _open(desk)
    _start(desk, run)
    desk.clock.advance(3600)
    _open(desk)
    assert desk.reread(run).state is RunState.RUNNING


@pytest.mark.parametrize("checked", [0, 1])
@pytest.mark.parametrize("failed", [0, 1])
@pytest.mark.parametrize("deferred", [0, 1])
def test_success_means_in_sql_what_it_means_in_the_domain(
    desk: Desk, checked: int, failed: int, deferred: int
) -> None:
    batches = [[key(f"1{number}")] for number in range(checked + failed)]
    for (each,) in batches:
        desk.watch(each.number)
    now = desk.clock.now()
    opened = desk.open()
    ids = desk.runs.start(opened.id, batches, fence=1, deferred=deferred, lifetime=LIFETIME, now=now)
    for number, batch_id in enumerate(ids):
        outcome = desk.seen(1, number=f"1{number}") if number < checked else None
        if outcome is None:
            desk.runs.give_up(batch_id, "a reason", now)
        else:
            desk.settle(batch_id, outcome)
    ended = desk.reread(opened)
    assert ended.state is RunState.FINISHED
    assert (desk.runs.last_succeeded_at() is not None) is ended.is_success
    assert desk.runs.claim_ping(opened.id, now) is ended.is_success
    assert ended.is_success or ended.reason


def test_a_run_whose_sections_an_earlier_one_still_checks_says_so(desk: Desk) -> None:
    opened = desk.open()
    desk.runs.start(opened.id, [], fence=1, deferred=3, lifetime=LIFETIME, now=desk.clock.now())
    assert desk.reread(opened).reason == "3 sections are still being checked for an earlier run"
