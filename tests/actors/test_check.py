from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import redis

from actors.check import check
from actors.dispatch import trigger_run
from domain.errors import RateLimitedError, RejectedError, UpstreamError
from domain.notification import NotificationState
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from observability.checks.snapshot import SourceState, required
from operations import status
from resilience.breaker_policy import BreakerPolicy
from resilience.claims import Claims
from tests.actors.test_reconcile import work_once
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url


def test_the_first_observation_is_a_baseline_and_sends_no_mail(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=3, instructor="Ada Lovelace")
    run = rollcall.run()
    assert (run.state, run.sections, run.checked, run.notifications) == (RunState.FINISHED, 1, 1, 0)
    assert rollcall.events() == []


def test_an_opening_mails_each_watcher_once(rollcall: Harness) -> None:
    rollcall.watch(email="ada@example.edu")
    rollcall.watch(email="grace@example.edu")
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 2
    for _ in range(3):
        rollcall.clock.advance(60)
        rollcall.run()
    event = "seat_available; source=scraper; term=2261; section=12430; episode=1"
    assert sorted(rollcall.events()) == [("ada@example.edu", event), ("grace@example.edu", event)]


def test_a_second_opening_is_a_second_episode(rollcall: Harness) -> None:
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    for seats in (0, 1, 0, 1):
        row.open_seats = seats
        rollcall.clock.advance(60)
        rollcall.run()
    assert rollcall.states() == [
        ("seat_available", 1, NotificationState.SENT),
        ("seat_available", 2, NotificationState.SENT),
    ]


def test_an_instructor_in_place_of_staff_is_notified(rollcall: Harness) -> None:
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(instructor="Staff")
    rollcall.run()
    row.instructor = "Grace Hopper"
    rollcall.clock.advance(60)
    rollcall.run()
    assert rollcall.states() == [("instructor_assigned", 1, NotificationState.SENT)]
    assert "Grace Hopper" in rollcall.mailer.sent[0].text


def test_a_failed_section_is_asked_again_and_costs_the_others_nothing(rollcall: Harness) -> None:
    rollcall.watch("12430")
    rollcall.watch("12432")
    rollcall.catalog.rows = {rollcall.key("12430"): Row(), rollcall.key("12432"): Row()}
    rollcall.catalog.errors[rollcall.key("12432")] = UpstreamError("500")
    run = rollcall.run()
    assert (run.state, run.checked, run.failed) == (RunState.RUNNING, 1, 0)
    del rollcall.catalog.errors[rollcall.key("12432")]
    rollcall.advance(5)
    run = rollcall.reload(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 2, 0)
    assert rollcall.catalog.calls[1] == [rollcall.key("12432")]


def bad_and_good(rollcall: Harness, *, bad: int, good: int) -> tuple[list[SectionKey], list[SectionKey]]:
    """Watched sections; the bad ones come first, and always fail."""
    keys = [rollcall.key(str(10_000 + 2 * i)) for i in range(bad + good)]
    for key in keys:
        rollcall.watch(key.number)
        rollcall.catalog.rows[key] = Row()
    rollcall.catalog.errors = dict.fromkeys(keys[:bad], UpstreamError("500"))
    return keys[:bad], keys[bad:]


def live_through(rollcall: Harness, run: Run) -> Run:
    while not (run := rollcall.reload(run)).state.is_final:
        rollcall.advance(10)
    return run


def test_bad_sections_cost_the_others_one_recovery_and_later_nothing(rollcall: Harness) -> None:
    bad, good = bad_and_good(rollcall, bad=30, good=100)
    run = live_through(rollcall, rollcall.run())
    assert (run.checked, run.failed, run.deferred) == (len(good), len(bad), 0)
    for _ in range(3):
        rollcall.clock.advance(1800)
        before = rollcall.clock.now()
        run = live_through(rollcall, rollcall.run())
        assert (run.checked, run.failed, run.deferred) == (len(good), len(bad), 0)
        assert rollcall.clock.now() == before  # no breaker opened, and each bad one was asked once
        assert rollcall.services.breakers["scraper"].snapshot().state == "closed"


def test_a_bad_section_that_answers_again_is_as_good_as_the_others(rollcall: Harness) -> None:
    bad, good = bad_and_good(rollcall, bad=1, good=3)
    live_through(rollcall, rollcall.run())
    rollcall.catalog.errors.clear()
    rollcall.clock.advance(1800)
    assert rollcall.run().checked == len(good) + 1
    assert not rollcall.services.store.sections.suspects(["scraper"])
    rollcall.catalog.errors = dict.fromkeys(bad, UpstreamError("500"))
    rollcall.clock.advance(1800)
    run = rollcall.run()
    assert (run.state, run.failed) == (RunState.RUNNING, 0)  # it has all its attempts again


def test_a_source_that_fails_for_all_blames_no_section_and_opens_the_breaker(rollcall: Harness) -> None:
    bad_and_good(rollcall, bad=12, good=0)
    live_through(rollcall, rollcall.run())
    assert rollcall.services.breakers["scraper"].snapshot().state == "open"
    assert not rollcall.services.store.sections.suspects(["scraper"])


def test_a_long_wait_that_a_source_names_is_a_pause_that_an_operator_ends(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.catalog.errors[rollcall.key()] = RateLimitedError("429", retry_after_seconds=1_209_600)
    rollcall.run()
    pause = rollcall.services.store.pauses.find("scraper")
    assert pause is not None
    assert (pause.by, pause.until - rollcall.clock.now()) == ("rollcall", timedelta(hours=1))
    rollcall.catalog.errors.clear()
    rollcall.advance(1)  # the run whose deadline the pause outlasts gives its section back
    rollcall.services.store.pauses.resume("scraper")
    assert rollcall.run().checked == 1


def test_a_section_that_fails_four_times_is_given_up_and_the_run_finishes(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UpstreamError("500")
    run = rollcall.run()
    for _ in range(3):
        rollcall.advance(81)
    run = rollcall.reload(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 0, 1)
    assert len(rollcall.catalog.calls) == 4


def test_a_permanent_failure_is_not_asked_again(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = RejectedError("400")
    run = rollcall.run()
    assert (run.state, run.failed) == (RunState.FINISHED, 1)


def test_a_rate_limit_is_waited_out_and_costs_no_attempt(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = RateLimitedError("429", retry_after_seconds=90)
    run = rollcall.run()
    for _ in range(6):
        rollcall.advance(60)
        rollcall.advance(31)
    assert rollcall.reload(run).state is RunState.RUNNING
    assert len(rollcall.catalog.calls) == 7
    del rollcall.catalog.errors[rollcall.key()]
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.advance(91)
    assert rollcall.reload(run).checked == 1


def test_while_the_breaker_is_open_nothing_is_asked_and_no_attempt_is_lost(rollcall: Harness) -> None:
    for number in range(12430, 12450):
        rollcall.watch(str(number))
        rollcall.catalog.errors[rollcall.key(str(number))] = UpstreamError("500")
    run = rollcall.run()
    assert rollcall.services.breakers["scraper"].snapshot().state == "open"
    asked = len(rollcall.catalog.calls)
    for _ in range(5):
        rollcall.advance(20)
    assert len(rollcall.catalog.calls) == asked
    rollcall.catalog.errors.clear()
    rollcall.catalog.rows = {rollcall.key(str(number)): Row() for number in range(12430, 12450)}
    rollcall.advance(26)  # what has failed lets the fresh go first
    assert [len(call) for call in rollcall.catalog.calls[asked:]] == [3]
    rollcall.advance(2)
    run = rollcall.reload(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 20, 0)


def test_a_message_that_comes_twice_changes_nothing_twice(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=1)
    rollcall.clock.advance(60)
    publish = rollcall.services.publish
    run = rollcall.run()
    for batch_id in range(1, 4):
        publish(check.message(batch_id))
    rollcall.process_messages()
    assert rollcall.reload(run) == run
    assert len(rollcall.mailer.sent) == 1


def test_a_batch_that_spent_its_crash_budget_is_given_up_with_its_reason(rollcall: Harness) -> None:
    for number in ("12430", "12432", "12434"):
        rollcall.watch(number)
        rollcall.catalog.rows[rollcall.key(number)] = Row()
    rollcall.catalog.chunk = 2
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    (batch_id,) = rollcall.messages.pop(0).args
    assert check.give_up is not None
    reason = check.give_up(rollcall.services, "crashed its worker 3 times", batch_id)
    assert reason == f"2 sections of run {run.id}"
    rollcall.process_messages()
    ended = rollcall.reload(run)
    assert (ended.state, ended.checked, ended.failed) == (RunState.FINISHED, 1, 2)
    assert ended.reason == "crashed its worker 3 times"
    again = check.give_up(rollcall.services, "crashed its worker 3 times", batch_id)
    assert again == "nothing: it was recorded already"
    assert rollcall.run().checked == 3


def test_answers_that_took_too_long_open_the_breaker_and_are_kept(
    tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    policy = BreakerPolicy(failure_threshold=2, slow_call_seconds=5)
    with harness(sqlite_url(tmp_path), redis_client, prefix, policy=policy) as rollcall:
        for number, took_seconds in (("12430", 5.0), ("12432", 5.1), ("12434", 6.0)):
            rollcall.watch(number)
            rollcall.catalog.rows[rollcall.key(number)] = Row(took_seconds=took_seconds)
        assert rollcall.run().checked == 3
        assert rollcall.services.breakers["scraper"].snapshot().state == "open"


def test_answers_are_kept_though_redis_becomes_unavailable_before_their_claims_are_released(
    rollcall: Harness,
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=4)
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    (batch_id,) = rollcall.messages.pop(0).args
    nowhere = redis.Redis(port=1)
    check(replace(rollcall.services, claims=Claims(nowhere, 1500, "nowhere")), batch_id)
    ended = rollcall.reload(run)
    assert (ended.state, ended.checked, ended.failed) == (RunState.FINISHED, 1, 0)


def test_a_source_that_answers_503_is_no_success_and_its_run_says_why(rollcall: Harness) -> None:
    rollcall.watch("12430")
    rollcall.catalog.rows[rollcall.key("12430")] = Row()
    assert rollcall.run().is_success
    succeeded_at = rollcall.clock.now()
    for number in range(30):
        rollcall.watch(f"2{number:04}")
    for key in [rollcall.key("12430"), *(rollcall.key(f"2{number:04}") for number in range(30))]:
        rollcall.catalog.errors[key] = UpstreamError("HTTP 503: maintenance")
    rollcall.clock.advance(60)
    run = rollcall.run()
    for _ in range(16):
        rollcall.advance(100)
    run = rollcall.reload(run)
    assert (run.state, run.sections, run.checked, run.is_success) == (RunState.FINISHED, 31, 0, False)
    assert run.reason is not None
    assert "HTTP 503: maintenance" in run.reason
    found = status.read(rollcall.admin)
    assert found.source_state("scraper") is SourceState.FAILING
    assert required(found.sources)["scraper"].last_success_at == succeeded_at
    assert required(found.runs).times.succeeded_at == succeeded_at
    breaker = found.breaker("scraper")
    assert breaker is not None
    assert breaker.last_error == "UpstreamError: HTTP 503: maintenance"


def test_a_run_that_recovers_gives_no_reason(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.catalog.errors[rollcall.key()] = UpstreamError("HTTP 503")
    run = rollcall.run()
    assert rollcall.reload(run).reason == "scraper: UpstreamError: HTTP 503"
    rollcall.catalog.errors.clear()
    rollcall.advance(5)
    run = rollcall.reload(run)
    assert (run.state, run.reason) == (RunState.FINISHED, None)


def test_a_breaker_that_is_held_open_is_the_reason_of_its_run(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.services.breakers["scraper"].force_open("ada")
    assert rollcall.run().reason == "scraper: ada holds its breaker open"
