from __future__ import annotations

from datetime import timedelta

from domain.errors import UnauthorisedError, UpstreamError
from domain.run import RunState
from tests.support.catalog import Row
from tests.support.harness import Harness


def pause(rollcall: Harness, minutes: float, by: str = "ada") -> None:
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("scraper", now + timedelta(minutes=minutes), "a reason", by, now)


def paused_minutes(rollcall: Harness) -> float | None:
    found = rollcall.services.store.pauses.paused("scraper", rollcall.clock.now())
    return None if found is None else (found.until - rollcall.clock.now()) / timedelta(minutes=1)


def test_a_paused_source_is_not_asked_and_no_attempt_is_lost(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    pause(rollcall, 10)
    run = rollcall.run()
    for _ in range(9):
        rollcall.advance(60)
    assert rollcall.catalog.calls == []
    rollcall.advance(60)
    run = rollcall.reload(run)
    assert (run.state, run.checked, len(rollcall.catalog.calls)) == (RunState.FINISHED, 1, 1)


def test_a_pause_that_is_ended_early_lets_its_batches_go_on_at_once(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    pause(rollcall, 20)
    run = rollcall.run()
    rollcall.services.store.pauses.resume("scraper")
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 1


def test_a_pause_longer_than_a_run_ends_it_at_once_and_leaves_its_sections_to_the_next(
    rollcall: Harness,
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    pause(rollcall, 60)
    for _ in range(2):
        run = rollcall.run()
        rollcall.advance(2)
        run = rollcall.reload(run)
        assert (run.state, run.deferred, rollcall.catalog.calls) == (RunState.FINISHED, 1, [])
        assert run.reason == "scraper is paused until after the deadline: a reason"
    rollcall.advance(3600)
    assert rollcall.run().checked == 1


def test_a_run_ends_when_its_source_refuses_our_credentials_again(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UnauthorisedError("401")
    run = rollcall.run()
    rollcall.advance(2)
    assert rollcall.reload(run).state is RunState.RUNNING
    rollcall.advance(900)
    rollcall.advance(2)
    run = rollcall.reload(run)
    assert (run.state, run.deferred, run.failed) == (RunState.FINISHED, 1, 0)
    assert run.reason is not None
    assert "refuses our credentials" in run.reason


def test_credentials_that_stay_wrong_are_tried_once_in_fifteen_minutes(rollcall: Harness) -> None:
    for number in range(12400, 12500):
        rollcall.watch(str(number))
        rollcall.catalog.errors[rollcall.key(str(number))] = UnauthorisedError("401")
    rollcall.catalog.chunk = 5
    rollcall.run()
    assert len(rollcall.catalog.calls) == 1
    for _ in range(20):
        rollcall.advance(60)
    assert 2 <= len(rollcall.catalog.calls) <= 3
    assert rollcall.services.store.pauses.all()["scraper"].is_ours


def test_refused_credentials_never_shorten_an_operators_pause(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UnauthorisedError("401")
    rollcall.run()
    assert paused_minutes(rollcall) == 15
    pause(rollcall, 120)
    rollcall.services.store.pauses.pause(
        "scraper", rollcall.clock.now(), "late", "rollcall", rollcall.clock.now()
    )
    assert paused_minutes(rollcall) == 120


def test_other_sections_of_the_batch_keep_what_was_seen_of_them(rollcall: Harness) -> None:
    rollcall.watch("12430")
    rollcall.watch("12432")
    rollcall.catalog.rows[rollcall.key("12430")] = Row()
    rollcall.catalog.errors[rollcall.key("12432")] = UnauthorisedError("401")
    run = rollcall.run()
    assert (run.state, run.checked, run.failed) == (RunState.RUNNING, 1, 0)
    assert paused_minutes(rollcall) == 15


def test_failures_that_are_no_refusal_neither_pause_nor_resume(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UpstreamError("500")
    rollcall.run()
    assert paused_minutes(rollcall) is None
    pause(rollcall, -1, by="rollcall")
    rollcall.advance(6)
    assert "scraper" in rollcall.services.store.pauses.all()


def test_an_operators_pause_is_not_ended_by_a_success(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    pause(rollcall, 1)
    rollcall.run()
    rollcall.advance(61)
    assert len(rollcall.catalog.calls) == 1
    assert "scraper" in rollcall.services.store.pauses.all()
