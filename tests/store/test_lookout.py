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
from tests.store.harness import ADA, GRACE, StoreHarness, key
from tests.store.rivals import together

HOUR = timedelta(hours=1)


def test_an_audience_is_the_people_with_active_watches_of_a_source(store: StoreHarness) -> None:
    began = store.clock.now()
    store.watch("12430", ADA)
    store.clock.advance(60)
    store.watch("12432", ADA)
    store.watch("12430", GRACE)
    store.watch("1", ADA, source="campus")
    assert store.watches.audiences() == {
        "scraper": Audience(2, began),
        "campus": Audience(1, store.clock.now()),
    }
    store.opt_outs.stop_all(ADA, store.clock.now())
    assert store.watches.audiences() == {"scraper": Audience(1, store.clock.now())}


def test_losses_are_what_died_after_a_time_and_whom_it_leaves_untold(store: StoreHarness) -> None:
    for number in ("12430", "12432"):
        store.watch(number, ADA)
        store.show(0, 1, number=number)
    assert store.outbox.losses(store.clock.now() - HOUR) == Losses(0, 0)
    store.outbox.mark_dead(store.claimed(), BatchState.REFUSED, "no such domain", store.clock.now())
    assert store.outbox.losses(store.clock.now() - HOUR) == Losses(2, 1)
    assert store.outbox.losses(store.clock.now()) == Losses(0, 0)


def test_the_first_run_is_known_for_each_trigger(store: StoreHarness) -> None:
    assert store.runs.first_opened_at() is None
    began = store.clock.now()
    store.open()
    later = store.clock.advance(60)
    store.runs.create("http", Stagger.ALL, later, later, force=True)
    assert store.runs.first_opened_at() == began
    assert store.runs.first_opened_at("http") == later
    assert store.runs.first_opened_at("schedule") is None


def test_a_check_of_one_section_by_hand_is_no_sign_that_runs_come(store: StoreHarness) -> None:
    now = store.clock.now()
    checked, _ = store.runs.create("console-check", Stagger.EVEN, now, now, force=True)
    store.runs.start(checked.id, [], fence=1, deferred=0, lifetime=HOUR, now=now)
    assert store.reload(checked).state is RunState.FINISHED
    assert store.runs.last_finished_at() is store.runs.last_succeeded_at() is None
    assert not store.runs.claim_ping(checked.id, now)
    assert store.runs.first_opened_at() is None
    assert store.runs.first_opened_at("console-check") == now


def test_of_concurrent_callers_one_may_ping_for_a_run_once_it_has_finished(store: StoreHarness) -> None:
    store.watch()
    run, (batch_id,) = store.start([key()])
    take = partial(store.runs.claim_ping, run.id, store.clock.now())
    assert not take()
    store.settle(batch_id, store.observation(1))
    assert sorted(together(*[take] * 4)) == [False, False, False, True]
    assert not take()


def test_a_refusal_of_our_credentials_costs_a_section_no_attempt(store: StoreHarness) -> None:
    store.watch()
    _, (batch_id,) = store.start([key()])
    for _ in range(10):
        store.settle(batch_id, CheckFailure(key(), UnauthorisedError("401")))
    batch = store.checks.get(batch_id)
    assert batch is not None
    assert batch.pending == {key(): 0}
