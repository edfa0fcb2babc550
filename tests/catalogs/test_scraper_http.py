"""Each way in which the service can answer or fail, over real HTTP and TLS."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from catalogs.scraper import Scraper
from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.observation import CheckFailure, Missing, Observation
from providers.http_pool import USER_AGENT
from tests.catalogs.conftest import keys
from tests.standins.scraper import DATA, TOKEN, Reply, ScraperStandin
from tests.support.clock import FakeClock
from tests.support.raw_server import RawServer

(KEY,) = keys("12431")
OK = b"HTTP/1.1 200 OK\r\n"


def failure(scraper: Scraper) -> RollcallError:
    (outcome,) = scraper.observe([KEY])
    assert isinstance(outcome, CheckFailure), outcome
    assert outcome.key == KEY
    assert TOKEN not in str(outcome.error)
    return outcome.error


def test_a_section_is_observed_at_the_time_of_its_answer(scraper: Scraper, clock: FakeClock) -> None:
    (outcome,) = scraper.observe([KEY])
    assert isinstance(outcome, Observation)
    assert (outcome.key, outcome.open_seats, outcome.observed_at) == (KEY, 3, clock.now())


def test_the_request_follows_the_contract(scraper: Scraper, service: ScraperStandin) -> None:
    scraper.observe([KEY])
    (seen,) = service.stats.seen
    assert (seen.path, seen.section, seen.term) == ("/scrape", "12431", "2261")
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["User-Agent"] == USER_AGENT


def test_a_path_prefix_and_a_trailing_slash_are_handled(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    make_scraper(url=f"{service.url}/api/v1/").observe([KEY])
    assert service.stats.seen[0].path == "/api/v1/scrape"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply("refused"), UpstreamError),
        (Reply("status", status=401), UnauthorisedError),
        (Reply("status", status=403), UnauthorisedError),
        (Reply("status", status=400), RejectedError),
        (Reply("status", status=422), RejectedError),
        (Reply("status", status=429), RateLimitedError),
        (Reply("status", status=500), UpstreamError),
        (Reply("html", status=502), UpstreamError),
        (Reply("html"), MalformedResponseError),
        (Reply("cut_off"), MalformedResponseError),
        (Reply("not_json"), MalformedResponseError),
        (Reply("raw", text=" " * (2 << 20)), MalformedResponseError),
        (Reply(fields={"seats_available": "4"}), MalformedResponseError),
        (Reply(without=("title",)), MalformedResponseError),
        (Reply("reset"), MalformedResponseError),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Reply) else value.__name__,
)
def test_each_failure_has_its_type(
    scraper: Scraper, service: ScraperStandin, reply: Reply, kind: type[RollcallError]
) -> None:
    service.set_default(reply)
    assert type(failure(scraper)) is kind


def test_a_section_is_observed_again_after_each_kind_of_failure(
    scraper: Scraper, service: ScraperStandin
) -> None:
    for reply in (Reply("cut_off"), Reply("reset"), Reply("html"), Reply("raw", text=" " * (2 << 20))):
        service.set_section("12431", reply)
        failure(scraper)
        service.set_section("12431", Reply())
        assert isinstance(scraper.observe([KEY])[0], Observation)


def test_not_found_is_missing(scraper: Scraper, service: ScraperStandin, clock: FakeClock) -> None:
    service.set_default(Reply("status", status=404))
    assert scraper.observe([KEY]) == [Missing(KEY, clock.now())]


def test_a_wrong_token_is_unauthorised(make_scraper: Callable[..., Scraper]) -> None:
    assert isinstance(failure(make_scraper(token="stale")), UnauthorisedError)


@pytest.mark.parametrize(("status", "seconds"), [(429, 7), (503, 7)])
def test_the_seconds_of_retry_after_are_passed_on(
    scraper: Scraper, service: ScraperStandin, status: int, seconds: float
) -> None:
    service.set_default(Reply("status", status=status, headers={"Retry-After": "7"}))
    error = failure(scraper)
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == seconds


def test_the_date_of_retry_after_is_passed_on(
    scraper: Scraper, service: ScraperStandin, clock: FakeClock
) -> None:
    date = format_datetime(clock.now() + timedelta(seconds=45), usegmt=True)
    service.set_default(Reply("status", status=429, headers={"Retry-After": date}))
    error = failure(scraper)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 45


def test_a_redirect_is_named_and_not_followed(scraper: Scraper, service: ScraperStandin) -> None:
    service.set_section(
        "12431", Reply("status", status=307, headers={"Location": f"{service.url}/v2/scrape"})
    )
    error = failure(scraper)
    assert isinstance(error, UpstreamError)
    assert "/v2/scrape" in str(error)
    assert service.stats.requests == 1


def test_a_service_that_hangs_times_out(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.set_default(Reply("hang"))
    error = failure(make_scraper(timeout_seconds=0.1))
    assert isinstance(error, UpstreamTimeoutError)
    assert str(error) == "no response in 0.1 s"


def test_waiting_for_a_slot_does_not_count_towards_the_time_limit(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.latency_ms = 100
    numbers = [str(number) for number in range(20)]
    outcomes = make_scraper(timeout_seconds=1.5, max_concurrency=1).observe(keys(*numbers))
    assert all(isinstance(outcome, Observation) for outcome in outcomes)


def test_a_refused_connection_is_unreachable(make_scraper: Callable[..., Scraper]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = failure(make_scraper(url=f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert isinstance(error, UnreachableError)
    assert "Failed to connect" in str(error)


def test_an_unknown_host_is_unreachable(make_scraper: Callable[..., Scraper]) -> None:
    assert isinstance(failure(make_scraper(url="http://scraper.invalid")), UnreachableError)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", MalformedResponseError),
        (b"HTTP/9.9 200 OK\r\n\r\n", MalformedResponseError),
        (OK + b"X: " + b"x" * 400_000 + b"\r\n\r\n", MalformedResponseError),
        (OK + b"Content-Length: 2000000\r\n\r\n{", MalformedResponseError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + b" " * 0x200000, MalformedResponseError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\n{", MalformedResponseError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n{}", MalformedResponseError),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2000000\r\n\r\n{", UpstreamError),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", UpstreamError),
        (OK, MalformedResponseError),
        (b"HTTP/1.1 404 Not Found\r\nContent-Le", MalformedResponseError),
        (b"", MalformedResponseError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value[:60].decode(),
)
def test_an_invalid_http_answer_has_its_type(
    make_scraper: Callable[..., Scraper], raw: bytes, kind: type[RollcallError]
) -> None:
    with RawServer(raw) as server:
        assert type(failure(make_scraper(url=server.url))) is kind


def test_a_kept_connection_that_closes_during_a_request_is_replaced(
    make_scraper: Callable[..., Scraper],
) -> None:
    body = json.dumps({"success": True, "data": DATA}).encode()
    whole = OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with RawServer([whole, b""], [whole]) as server:
        scraper = make_scraper(url=server.url)
        outcomes = scraper.observe([KEY]) + scraper.observe([KEY])
    assert [type(outcome) for outcome in outcomes] == [Observation, Observation]
    assert server.requests == 3


def test_an_untrusted_certificate_is_unreachable(
    make_scraper: Callable[..., Scraper], certificate: Path
) -> None:
    with RawServer(b"", certificate=certificate) as server:
        error = failure(make_scraper(url=server.url))
    assert isinstance(error, UnreachableError)
    assert "certificate" in str(error)
    assert server.requests == 0


def test_an_outcome_has_its_duration(scraper: Scraper, service: ScraperStandin) -> None:
    service.latency_ms = 50
    service.set_section("2", Reply("status", status=404))
    observed, missing = sorted(scraper.observe(keys("1", "2")), key=lambda outcome: outcome.key)
    assert isinstance(observed, Observation)
    assert isinstance(missing, Missing)
    for outcome in (observed, missing):
        assert outcome.took_seconds is not None
        assert 0.05 <= outcome.took_seconds < 5


def test_one_failing_section_does_not_affect_its_batch(scraper: Scraper, service: ScraperStandin) -> None:
    service.set_section("2", Reply("reset"))
    service.set_section("3", Reply(fields=DATA | {"seats_capacity": None}))
    outcomes = {outcome.key.number: outcome for outcome in scraper.observe(keys("1", "2", "3", "4"))}
    assert sorted(outcomes) == ["1", "2", "3", "4"]
    assert isinstance(outcomes["1"], Observation)
    assert isinstance(outcomes["2"], CheckFailure)
    assert isinstance(outcomes["3"], CheckFailure)
    assert isinstance(outcomes["4"], Observation)


def test_outcomes_come_in_the_order_of_the_answers(scraper: Scraper, service: ScraperStandin) -> None:
    service.set_section("1", Reply(delay_ms=150))
    service.set_section("2", Reply(delay_ms=75))
    assert [outcome.key.number for outcome in scraper.observe(keys("1", "2", "3"))] == ["3", "2", "1"]


def test_connections_are_kept_between_requests(
    make_scraper: Callable[..., Scraper], service: ScraperStandin
) -> None:
    service.set_section("2", Reply("status", status=404))
    scraper = make_scraper(max_concurrency=1)
    for _ in range(5):
        scraper.observe(keys("1", "2"))
    assert len({request.peer for request in service.stats.seen}) == 1
