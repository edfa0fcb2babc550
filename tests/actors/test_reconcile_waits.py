from __future__ import annotations

from datetime import timedelta

import redis

from actors.check_plan import available_sources
from domain.errors import RateLimitedError, UpstreamError
from domain.run import Run, RunState
from operations import breakers
from rollcall.upstreams import end_waits
from store.pauses import ROLLCALL
from tests.operations.journal import do
from tests.support.catalog import Row
from tests.support.harness import Harness


def open_breaker(rollcall: Harness) -> Run:
    """A run that waits for the breaker of its source, which 10 failures have opened."""
    for number in range(12400, 12420, 2):
        rollcall.watch(str(number))
        rollcall.catalog.errors[rollcall.key(str(number))] = UpstreamError("503")
    run = rollcall.run()
    rollcall.advance(6)
    assert rollcall.services.breakers["scraper"].snapshot().state == "open"
    rollcall.catalog.errors.clear()
    for number in range(12400, 12420, 2):
        rollcall.catalog.rows[rollcall.key(str(number))] = Row()
    return rollcall.reload(run)


def pause(rollcall: Harness, *, minutes: float) -> None:
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("scraper", now + timedelta(minutes=minutes), "works", "ada", now)


def test_a_reset_breaker_lets_its_batches_go_on_at_once(rollcall: Harness) -> None:
    run = open_breaker(rollcall)
    assert (run.state, run.checked) == (RunState.RUNNING, 0)
    rollcall.services.breakers["scraper"].reset("ada")
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 10


def test_a_breaker_that_is_held_closed_lets_its_batches_go_on_at_once(rollcall: Harness) -> None:
    run = open_breaker(rollcall)
    rollcall.services.breakers["scraper"].force_closed("ada")
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 10


def test_probes_that_close_the_breaker_let_the_rest_go_on_at_once(rollcall: Harness) -> None:
    run = open_breaker(rollcall)
    rollcall.advance(121)
    assert rollcall.services.breakers["scraper"].snapshot().state == "closed"
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 10


def test_a_breaker_that_redis_has_lost_holds_nothing_back(
    rollcall: Harness, redis_client: redis.Redis, prefix: str
) -> None:
    run = open_breaker(rollcall)
    redis_client.delete(f"{prefix}:breaker:scraper")
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 10


def test_while_the_breaker_is_open_nothing_is_asked(rollcall: Harness) -> None:
    open_breaker(rollcall)
    asked = len(rollcall.catalog.calls)
    rollcall.advance(30)
    assert len(rollcall.catalog.calls) == asked


def test_a_pause_that_a_person_makes_shorter_lets_its_batches_go_on_when_it_is_over(
    rollcall: Harness,
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    pause(rollcall, minutes=20)
    run = rollcall.run()
    pause(rollcall, minutes=5)
    rollcall.advance(301)
    assert rollcall.reload(run).checked == 1


def test_the_rate_limit_of_a_source_is_waited_out(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = RateLimitedError("429", retry_after_seconds=600)
    rollcall.run()
    rollcall.catalog.errors.clear()
    rollcall.advance(300)
    assert len(rollcall.catalog.calls) == 1
    assert rollcall.services.store.waits.resume("scraper") == 1


def test_a_source_that_is_paused_or_whose_breaker_is_open_cannot_be_checked(rollcall: Harness) -> None:
    services, now = rollcall.services, rollcall.clock.now()
    assert available_sources(services, now)
    pause(rollcall, minutes=5)
    assert not available_sources(services, now)
    services.store.pauses.resume("scraper")
    services.breakers["scraper"].force_open("ada")
    assert not available_sources(services, now)


def test_new_settings_end_what_waited_for_the_ones_before_and_nothing_that_a_person_holds(
    rollcall: Harness,
) -> None:
    services, now = rollcall.services, rollcall.clock.now()
    run = open_breaker(rollcall)
    services.store.pauses.pause("scraper", now + timedelta(hours=1), "401", ROLLCALL, now)
    end_waits(services, "scraper")
    assert services.store.pauses.all() == {}
    rollcall.advance(2)
    assert rollcall.reload(run).checked == 10

    pause(rollcall, minutes=5)
    services.breakers["mail"].force_open("ada")
    end_waits(services, "scraper")
    end_waits(services, "mail")
    assert services.store.pauses.all()["scraper"].by == "ada"
    assert services.breakers["mail"].snapshot().forced == "open"


def put_off_mail(rollcall: Harness) -> None:
    """A letter that the transport has failed to take, and a breaker that is open."""
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    rollcall.mailer.errors.extend([UpstreamError("503")] * 10)
    rollcall.run()
    for _ in range(20):
        if rollcall.services.breakers["mail"].snapshot().state == "open":
            break
        rollcall.advance(300)
    assert rollcall.services.breakers["mail"].snapshot().state == "open"
    rollcall.mailer.errors.clear()


def test_mail_that_was_postponed_leaves_at_once_when_its_breaker_is_reset(rollcall: Harness) -> None:
    put_off_mail(rollcall)
    assert rollcall.mailer.sent == []
    do(rollcall, breakers.RESET, name="mail")
    rollcall.advance(2)
    assert len(rollcall.mailer.sent) == 1
