from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from dramatiq.middleware import Interrupt
from dramatiq.middleware.threading import raise_thread_exception

from catalogs.scraper import Scraper
from domain.errors import RateLimitedError
from domain.observation import CheckFailure, Observation, Outcome
from domain.ports import Source
from tests.catalogs.conftest import keys, wait_until
from tests.standins.scraper import Reply, ScraperStandin
from tests.support.clock import FakeClock


@dataclass
class RecordedPace:
    start_in_seconds: float = 0.0
    interval_seconds: float = 0.0


@dataclass
class RecordingPacer:
    pace: RecordedPace = field(default_factory=RecordedPace)
    reserved: list[int] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    patience_seconds: float = 0

    def reserve(self, n: int, *, patience_seconds: float) -> RecordedPace:
        self.patience_seconds = patience_seconds
        self.reserved.append(n)
        return self.pace

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


class CountingClock(FakeClock):
    reads = 0

    def now(self) -> datetime:
        self.reads += 1
        return super().now()


def test_it_is_a_source(scraper: Scraper) -> None:
    source: Source = scraper
    assert source.name == "scraper"


def test_a_plan_is_sorted_chunks_that_hold_every_key_once(make_scraper: Callable[..., Scraper]) -> None:
    every = keys(*(str(number) for number in range(10_000, 10_060)))
    batches = list(make_scraper().plan(reversed(every)))
    assert [len(batch) for batch in batches] == [25, 25, 10]
    assert [key for batch in batches for key in batch] == every


def test_no_keys_make_no_request(make_scraper: Callable[..., Scraper], service: ScraperStandin) -> None:
    pacer = RecordingPacer()
    assert make_scraper(pacer=pacer).observe([]) == []
    assert (pacer.reserved, service.stats.requests) == ([], 0)


def test_all_threads_share_and_reach_one_limit(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.latency_ms = 20
    scraper = make_scraper(max_concurrency=6)
    batches = list(scraper.plan(keys(*(str(number) for number in range(10_000, 10_100)))))
    answered: list[int] = []
    threads = [
        threading.Thread(target=lambda batch=batch: answered.append(len(scraper.observe(batch))))
        for batch in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answered == [25, 25, 25, 25]
    assert (service.stats.requests, service.stats.max_in_flight) == (100, 6)


def test_each_request_waits_for_its_slot(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    pacer = RecordingPacer(RecordedPace(start_in_seconds=0.05, interval_seconds=0.03))
    scraper = make_scraper(pacer=pacer)
    began_at = time.monotonic()
    scraper.observe(keys("1", "2", "3", "4"))
    waited = [request.at_seconds - began_at for request in service.stats.seen]
    assert pacer.reserved == [4]
    assert [request.section for request in service.stats.seen] == ["1", "2", "3", "4"]
    assert all(wait >= 0.045 + 0.03 * position for position, wait in enumerate(waited))


def test_a_batch_that_would_wait_long_is_not_sent(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    pacer = RecordingPacer(RecordedPace(start_in_seconds=20.5))
    outcomes = make_scraper(pacer=pacer).observe(keys("1", "2"))
    waits = [
        outcome.error.retry_after_seconds
        for outcome in outcomes
        if isinstance(outcome, CheckFailure) and isinstance(outcome.error, RateLimitedError)
    ]
    assert (waits, pacer.patience_seconds, service.stats.requests) == ([20.5, 20.5], 20, 0)


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "7"}, 7.0), ({}, 60.0)])
def test_a_rate_limit_holds_the_whole_fleet_once(
    make_scraper: Callable[..., Scraper], service: ScraperStandin, headers: dict[str, str], seconds: float
) -> None:
    pacer = RecordingPacer()
    service.set_default(Reply("status", status=429, headers=headers))
    make_scraper(pacer=pacer).observe(keys("1", "2", "3"))
    assert pacer.held == [seconds]


def test_after_a_rate_limit_the_rest_of_the_batch_is_not_sent(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.set_section("2", Reply("status", status=429))
    outcomes = make_scraper(max_concurrency=1).observe(keys("1", "2", "3", "4"))
    assert service.stats.requests == 2
    assert isinstance(outcomes[0], Observation)
    assert [outcome.key.number for outcome in outcomes] == ["1", "2", "3", "4"]
    limited = [outcome for outcome in outcomes if isinstance(outcome, CheckFailure)]
    assert [type(outcome.error) for outcome in limited] == [RateLimitedError] * 3


def test_a_rate_limit_does_not_outlive_its_batch(scraper: Scraper, service: ScraperStandin) -> None:
    service.set_section("1", Reply("status", status=429))
    scraper.observe(keys("1"))
    service.set_section("1", Reply())
    assert isinstance(scraper.observe(keys("1"))[0], Observation)


def test_an_interrupted_thread_drops_its_requests_and_the_others_continue(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.set_default(Reply("hang"))
    service.set_section("9", Reply())
    scraper = make_scraper(max_concurrency=2)
    ended: list[type[BaseException]] = []

    def observe() -> None:
        try:
            scraper.observe(keys("1", "2", "3"))
        except BaseException as error:  # noqa: BLE001 - an interrupt is the point
            ended.append(type(error))

    thread = threading.Thread(target=observe)
    thread.start()
    wait_until(lambda: service.stats.in_flight == 2)
    assert thread.ident
    raise_thread_exception(thread.ident, Interrupt)  # type: ignore[no-untyped-call]
    thread.join(timeout=20)
    assert ended == [Interrupt]
    wait_until(lambda: service.stats.in_flight == 0)
    assert isinstance(scraper.observe(keys("9"))[0], Observation)
    assert service.stats.requests == 3


def test_a_closed_scraper_refuses_to_observe(make_scraper: Callable[..., Scraper]) -> None:
    scraper = make_scraper()
    scraper.observe(keys("1"))
    scraper.close()
    with pytest.raises(RuntimeError, match="closed"):
        scraper.observe(keys("1"))


def test_a_call_in_progress_ends_soon_after_the_scraper_is_closed(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.set_default(Reply("hang"))
    scraper = make_scraper(max_concurrency=1)
    ended: list[str] = []

    def observe(number: str) -> None:
        with pytest.raises(RuntimeError, match="closed"):
            scraper.observe(keys(number))
        ended.append(number)

    threads = [threading.Thread(target=observe, args=(number,)) for number in "12"]
    for thread in threads:
        thread.start()
    wait_until(lambda: service.stats.in_flight == 1)
    scraper.close()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(ended) == ["1", "2"]
    wait_until(lambda: service.stats.in_flight == 0)


def test_an_interrupt_reaches_a_thread_that_waits_for_its_slot(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    pacer = RecordingPacer(RecordedPace(start_in_seconds=15))
    scraper = make_scraper(pacer=pacer)
    ended: list[type[BaseException]] = []

    def observe() -> None:
        try:
            scraper.observe(keys("1"))
        except BaseException as error:  # noqa: BLE001 - an interrupt is the point
            ended.append(type(error))

    thread = threading.Thread(target=observe)
    thread.start()
    assert thread.ident
    wait_until(lambda: bool(pacer.reserved))
    raise_thread_exception(thread.ident, Interrupt)  # type: ignore[no-untyped-call]
    thread.join(timeout=20)
    assert (ended, service.stats.requests) == ([Interrupt], 0)


def test_responses_are_read_while_other_requests_wait_for_their_slot(
    make_scraper: Callable[..., Scraper],
) -> None:
    clock = CountingClock()
    scraper = make_scraper(clock=clock, pacer=RecordingPacer(RecordedPace(interval_seconds=1)))
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.extend(scraper.observe(keys("1", "2"))))
    thread.start()
    wait_until(lambda: clock.reads == 1)
    later = clock.advance(30)
    thread.join()
    seen = [outcome.observed_at for outcome in outcomes if isinstance(outcome, Observation)]
    assert [later - at for at in seen] == [timedelta(seconds=30), timedelta(0)]


def test_the_clock_is_read_when_the_response_is_complete(
    make_scraper: Callable[..., Scraper], service: ScraperStandin, clock: FakeClock
) -> None:
    service.set_default(Reply(delay_ms=200))
    outcomes: list[object] = []
    thread = threading.Thread(target=lambda: outcomes.extend(make_scraper().observe(keys("1"))))
    thread.start()
    wait_until(lambda: service.stats.in_flight == 1)
    later = clock.advance(30)
    thread.join()
    assert isinstance(outcomes[0], Observation)
    assert outcomes[0].observed_at == later


def test_a_process_that_never_observes_never_loads_libcurl() -> None:
    program = (
        "import sys; from catalogs.scraper import Scraper; from catalogs.demo_campus import DemoCampus\n"
        "scraper = Scraper(url='http://127.0.0.1:9', token='secret', clock=None)\n"
        "list(scraper.plan([])); scraper.close()\n"
        "sys.exit('pycurl' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
