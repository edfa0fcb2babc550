from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import redis

from actors.dispatch import dispatch, trigger_run
from actors.services import Services
from domain.run import Run, RunState
from domain.section import Stagger
from store.runs.runs import Runs
from tests.support.catalog import Row
from tests.support.harness import Harness
from tests.support.superseded_lease import superseded


def test_even_and_odd_sections_are_checked_apart(rollcall: Harness) -> None:
    for number in ("12430", "12431", "12432"):
        rollcall.watch(number)
        rollcall.catalog.rows[rollcall.key(number)] = Row()
    assert rollcall.run(Stagger.EVEN).checked == 2
    assert rollcall.run(Stagger.ODD).checked == 1
    assert rollcall.catalog.calls[1] == [rollcall.key("12431")]


def test_a_section_that_no_one_watches_any_more_is_not_checked(rollcall: Harness) -> None:
    stored = rollcall.watch()
    rollcall.services.store.watches.end(stored.id, "deleted", rollcall.clock.now())
    run = rollcall.run()
    assert (run.state, run.sections) == (RunState.FINISHED, 0)


def test_sections_in_flight_for_another_run_are_deferred(rollcall: Harness) -> None:
    for number in ("12430", "12432"):
        rollcall.watch(number)
        rollcall.catalog.rows[rollcall.key(number)] = Row()
    rollcall.services.claims.take([str(rollcall.key("12430"))], "another run")
    run = rollcall.run()
    assert (run.state, run.sections, run.checked, run.deferred) == (RunState.FINISHED, 2, 1, 1)


def test_claims_are_free_again_when_the_sections_are_recorded(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    assert rollcall.run().checked == 1
    assert rollcall.run().checked == 1


def test_a_dispatch_that_comes_twice_starts_the_run_once(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.services.publish(dispatch.message(run.id))
    rollcall.process_messages()
    assert len(rollcall.catalog.calls) == 1


def test_a_late_second_dispatch_frees_nothing_that_its_run_still_checks(
    rollcall: Harness,
) -> None:
    for number in ("12430", "12432"):
        rollcall.watch(number)
        rollcall.catalog.rows[rollcall.key(number)] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    dispatched_twice = [queued(rollcall, run), queued(rollcall, run)]
    for services in dispatched_twice:
        dispatch(services, run.id)
    names = [str(rollcall.key(number)) for number in ("12430", "12432")]
    assert rollcall.services.claims.take(names, "another run") == []


def test_a_late_second_dispatch_keeps_nothing_that_its_run_has_checked(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    late = queued(rollcall, run)
    rollcall.process_messages()
    dispatch(late, run.id)
    assert rollcall.services.claims.take([str(rollcall.key())], "another run") != []


class ReadBefore(Runs):
    """The runs as a dispatcher knows them that read its own before another started it."""

    known: Run | None = None

    def get(self, run_id: str) -> Run | None:
        return self.known if self.known is not None and self.known.id == run_id else super().get(run_id)


def queued(rollcall: Harness, run: Run) -> Services:
    """The services of a dispatcher that believes `run` to be queued still."""
    runs = ReadBefore(rollcall.database)
    runs.known = run
    return replace(rollcall.services, store=replace(rollcall.services.store, runs=runs))


def test_a_slot_has_one_run_unless_it_is_forced(rollcall: Harness) -> None:
    first, created = trigger_run(rollcall.services, "test", None, force=False)
    again, created_again = trigger_run(rollcall.services, "test", Stagger.EVEN, force=False)
    forced, created_by_force = trigger_run(rollcall.services, "test", Stagger.EVEN, force=True)
    assert (created, created_again, created_by_force) == (True, False, True)
    assert again.id == first.id != forced.id


def test_a_run_waits_while_the_lease_is_held_and_is_skipped_after_that(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.services.cron_lease.acquire("somebody else", {"run": "somebody else"})
    run = rollcall.run()
    rollcall.advance(20)
    assert rollcall.reload(run).state is RunState.QUEUED
    rollcall.advance(20)
    run = rollcall.reload(run)
    assert run.state is RunState.SKIPPED
    assert run.reason is not None
    assert "somebody else" in run.reason


def test_a_run_that_no_one_dispatched_for_long_still_waits_for_a_lease_that_was_just_taken(
    rollcall: Harness,
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.clock.advance(120)
    fence = rollcall.services.cron_lease.acquire("somebody else", {})
    rollcall.process_messages()
    assert rollcall.reload(run).state is RunState.QUEUED
    assert fence is not None
    rollcall.services.cron_lease.release("somebody else", fence)
    rollcall.advance(6)
    assert rollcall.reload(run).state is RunState.FINISHED


def test_a_run_that_waited_for_the_lease_goes_on_when_it_is_free(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    fence = rollcall.services.cron_lease.acquire("somebody else", {})
    assert fence is not None
    run = rollcall.run()
    rollcall.services.cron_lease.release("somebody else", fence)
    rollcall.advance(6)
    assert rollcall.reload(run).state is RunState.FINISHED


def test_a_dispatcher_that_died_after_its_lease_is_followed_by_its_own_message(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.services.cron_lease.acquire(run.id, {"pid": "of the dead"})
    rollcall.services.claims.take([str(rollcall.key())], run.id)
    rollcall.process_messages()
    assert rollcall.reload(run).checked == 1


def test_a_paused_dispatcher_whose_lease_has_passed_on_changes_nothing(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    paused, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.messages.clear()
    fence = rollcall.services.cron_lease.acquire(paused.id, {})
    rollcall.clock.advance(1501)
    rollcall.run()
    assert fence is not None
    store, now = rollcall.services.store, rollcall.clock.now()
    ids = store.runs.start(
        paused.id, [[rollcall.key()]], fence=fence, deferred=0, lifetime=timedelta(seconds=1500), now=now
    )
    assert ids == []
    assert rollcall.reload(paused).state is RunState.QUEUED


def test_a_dispatch_that_started_nothing_leaves_no_section_claimed(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    dispatch(superseded(rollcall.services), run.id)
    assert rollcall.reload(run).state is RunState.QUEUED
    key = str(rollcall.key())
    assert rollcall.services.claims.take([key], "the next run") == [key]


def test_a_run_whose_dispatch_spent_its_crash_budget_has_failed(rollcall: Harness) -> None:
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    assert dispatch.give_up is not None
    assert dispatch.give_up(rollcall.services, "crashed its worker 3 times", run.id) == f"run {run.id}"
    run = rollcall.reload(run)
    assert (run.state, run.reason) == (RunState.FAILED, "crashed its worker 3 times")


def test_a_redis_that_lost_a_fence_of_a_clock_that_ran_ahead_does_not_stop_the_runs(
    rollcall: Harness, redis_client: redis.Redis, prefix: str
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.clock.advance(86_400)
    assert rollcall.run().checked == 1
    rollcall.clock.advance(-86_400)
    redis_client.delete(f"{prefix}:lease:section-checks", f"{prefix}:lease:section-checks:fence")
    assert rollcall.run().checked == 1
