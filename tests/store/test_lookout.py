"""What the lookout reads of the database."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from domain.errors import UnauthorisedError
from domain.observation import CheckFailure
from domain.run import RunState
from domain.section import Stagger
from store.notifications.batch_selection import BatchState
from store.notifications.outbox import Losses
from store.watches import Audience
from tests.store.desk import ADA, GRACE, Desk, key
from tests.store.rivals import together

HOUR = timedelta(hours=1)


def test_an_audience_is_the_people_with_active_watches_of_a_source(desk: Desk) -> None:
    began = desk.clock.now()
    desk.watch("12430", ADA)
    desk.clock.advance(60)
    desk.watch("12432", ADA)
    desk.watch("12430", GRACE)
    desk.watch("1", ADA, source="campus")
    assert desk.watches.audiences() == {
        "scraper": Audience(2, began),
        "campus": Audience(1, desk.clock.now()),
    }
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    assert desk.watches.audiences() == {"scraper": Audience(1, desk.clock.now())}


def test_losses_are_what_died_after_a_time_and_whom_it_leaves_untold(desk: Desk) -> None:
    for number in ("12430", "12432"):
        desk.watch(number, ADA)
        desk.show(0, 1, number=number)
    assert desk.outbox.losses(desk.clock.now() - HOUR) == Losses(0, 0)
    desk.outbox.mark_dead(desk.claimed(), BatchState.REFUSED, "no such domain", desk.clock.now())
    assert desk.outbox.losses(desk.clock.now() - HOUR) == Losses(2, 1)
    assert desk.outbox.losses(desk.clock.now()) == Losses(0, 0)


def test_the_first_run_is_known_for_each_trigger(desk: Desk) -> None:
    assert desk.runs.first_opened_at() is None
    began = desk.clock.now()
    desk.open()
    later = desk.clock.advance(60)
    desk.runs.create("http", Stagger.ALL, later, later, force=True)
    assert desk.runs.first_opened_at() == began
    assert desk.runs.first_opened_at("http") == later
    assert desk.runs.first_opened_at("schedule") is None


def test_a_check_of_one_section_by_hand_is_no_sign_that_runs_come(desk: Desk) -> None:
    now = desk.clock.now()
    checked, _ = desk.runs.create("console-check", Stagger.EVEN, now, now, force=True)
    desk.runs.start(checked.id, [], fence=1, deferred=0, lifetime=HOUR, now=now)
    assert desk.reread(checked).state is RunState.FINISHED
    assert desk.runs.last_finished_at() is desk.runs.last_succeeded_at() is None
    assert not desk.runs.claim_ping(checked.id, now)
    assert desk.runs.first_opened_at() is None
    assert desk.runs.first_opened_at("console-check") == now


def test_of_concurrent_callers_one_may_ping_for_a_run_once_it_has_finished(desk: Desk) -> None:
    desk.watch()
    run, (batch_id,) = desk.start([key()])
    take = partial(desk.runs.claim_ping, run.id, desk.clock.now())
    assert not take()
    desk.settle(batch_id, desk.seen(1))
    assert sorted(together(*[take] * 4)) == [False, False, False, True]
    assert not take()


def test_a_refusal_of_our_credentials_costs_a_section_no_attempt(desk: Desk) -> None:
    desk.watch()
    _, (batch_id,) = desk.start([key()])
    for _ in range(10):
        desk.settle(batch_id, CheckFailure(key(), UnauthorisedError("401")))
    batch = desk.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {key(): 0}
