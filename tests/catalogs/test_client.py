from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from catalogs.client import CatalogClient
from catalogs.family import CatalogRequest, Exchange
from domain.catalog import BlockedError, NoTurnError
from domain.errors import InvalidInputError, MalformedResponseError, RateLimitedError, UnreachableError
from domain.ports import Turn
from providers.http import HttpResponse
from tests.standins.server import Answer, StandIn
from tests.support.clock import FakeClock

DAY = 86_400
NOTHING = Answer(404, b"")


class Host(StandIn):
    """A catalog's host: `answers` maps paths to answers; it keeps the requests that it received."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer | None] = {"/robots.txt": NOTHING}
        self.seen: list[tuple[str, str, Mapping[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        self.seen.append((method, path, headers, body))
        found = self.answers.get(path, NOTHING)
        if found is not None and headers.get("if-none-match", "-") == found.headers.get("ETag"):
            return Answer(304, b"", headers=found.headers)
        return found

    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.seen]

    def robots(self, text: str) -> None:
        self.answers["/robots.txt"] = Answer(200, text.encode(), "text/plain")


class Turns:
    """A `HostGatePort` that counts turns and keeps holds; it first answers with `waits`."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.entered = self.left = 0
        self.holds: list[float] = []

    def enter(self) -> Turn:
        if self.waits:
            return Turn(self.waits.pop(0), "its requests are spaced")
        assert self.entered == self.left, "one request at a time"
        self.entered += 1
        return Turn(0.0)

    def leave(self) -> None:
        self.left += 1

    def hold(self, seconds: float) -> None:
        self.holds.append(seconds)


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as found:
        yield found


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def client(host: Host, turns: Turns, clock: FakeClock) -> CatalogClient:
    return CatalogClient(
        "state", f"{host.url}/app", user_agent="Rollcall/1 (+https://x.example)", gate=turns, clock=clock
    )


@pytest.fixture
def get(host: Host, client: CatalogClient) -> Callable[..., HttpResponse]:
    def get(path: str, **more: Any) -> HttpResponse:
        return client.run(once(CatalogRequest("GET", host.url + path, **more)))

    return get


def once(request: CatalogRequest) -> Exchange[HttpResponse]:
    response = yield request
    return response


Get = Callable[..., HttpResponse]


def test_an_exchange_runs_with_the_cookies_of_its_session(host: Host, client: CatalogClient) -> None:
    host.answers["/app/open"] = Answer(302, b"", headers={"Set-Cookie": "id=7; Path=/", "Location": "/x"})
    host.answers["/app/rows"] = Answer(200, b"[1]")

    def exchange() -> Exchange[tuple[int, bytes]]:
        opened = yield CatalogRequest("POST", f"{host.url}/app/open", b"term=1")
        rows = yield CatalogRequest("GET", f"{host.url}/app/rows")
        return opened.status, rows.body

    assert client.run(exchange()) == (302, b"[1]")
    assert host.paths() == ["/robots.txt", "/app/open", "/app/rows"]  # the redirect is not followed
    (_, _, posted, body), (_, _, read, _) = host.seen[1:]
    assert (posted["content-type"], body) == ("application/x-www-form-urlencoded", b"term=1")
    assert read["cookie"] == "id=7"


def test_every_request_names_us_waits_for_its_turn_and_is_counted(
    host: Host, client: CatalogClient, turns: Turns, get: Get
) -> None:
    get("/a")
    get("/b")
    assert {headers["user-agent"] for _, _, headers, _ in host.seen} == {"Rollcall/1 (+https://x.example)"}
    assert turns.entered == turns.left == client.requests == len(host.seen) == 3
    assert client.seconds > 0


@pytest.mark.parametrize("status", [302, 404, 410, 500, 503])
def test_the_exchange_decides_what_other_statuses_mean(host: Host, get: Get, status: int) -> None:
    host.answers["/a"] = Answer(status, b"")
    assert get("/a").status == status


@pytest.mark.parametrize("url", ["http://localhost/app", "https://127.0.0.1/app", "http://127.0.0.1:1/app"])
def test_no_request_leaves_the_host(host: Host, client: CatalogClient, url: str) -> None:
    with pytest.raises(InvalidInputError, match="is not on"):
        client.run(once(CatalogRequest("GET", url)))
    assert host.seen == []


@pytest.mark.parametrize(
    "url", ["http://catalog.example.edu", "http://8.8.8.8/a", "ftp://127.0.0.1/", "https://me@a.example", "x"]
)
def test_a_catalog_is_reached_over_https_only(clock: FakeClock, url: str) -> None:
    with pytest.raises(InvalidInputError, match="https"):
        CatalogClient("state", url, user_agent="Rollcall", gate=Turns(), clock=clock)


@pytest.mark.parametrize(
    "url", ["https://a.example.edu:9234/x", "http://10.0.0.7", "http://[::1]:80/", "http://demo:8080"]
)
def test_a_private_host_may_be_reached_in_the_clear(clock: FakeClock, url: str) -> None:
    assert CatalogClient("state", url, user_agent="Rollcall", gate=Turns(), clock=clock).requests == 0


def test_robots_txt_is_read_once_a_day(host: Host, clock: FakeClock, get: Get) -> None:
    get("/a")
    clock.advance(DAY - 1)
    get("/a")
    host.robots("User-agent: *\nDisallow: /a")
    clock.advance(1)
    with pytest.raises(BlockedError, match=r"robots\.txt disallows /a"):
        get("/a")
    assert host.paths() == ["/robots.txt", "/a", "/a", "/robots.txt"]


@pytest.mark.parametrize("answer", [Answer(500, b""), Answer(503, b""), None])
def test_an_unreadable_robots_txt_stops_every_request(host: Host, get: Get, answer: Answer | None) -> None:
    host.answers["/robots.txt"] = answer
    for _ in range(2):
        with pytest.raises(BlockedError, match=r"robots\.txt cannot be read"):
            get("/a")
    assert "/a" not in host.paths()


def test_robots_txt_may_move_on_its_host_only(host: Host, get: Get) -> None:
    host.answers["/robots.txt"] = Answer(301, b"", headers={"Location": "/moved"})
    host.answers["/moved"] = Answer(200, b"User-agent: rollcall\nDisallow: /a")
    with pytest.raises(BlockedError):
        get("/a")
    host.answers["/moved"] = Answer(302, b"", headers={"Location": "https://other.example/robots.txt"})
    assert get("/b").status == 404


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_a_block(host: Host, get: Get, status: int) -> None:
    host.answers["/a"] = Answer(status, b"")
    with pytest.raises(BlockedError, match=str(status)):
        get("/a")


def test_a_captcha_is_a_block_even_when_compressed(host: Host, get: Get) -> None:
    page = gzip.compress(b"<!DOCTYPE html><div class='g-recaptcha'></div>")
    host.answers["/a"] = Answer(200, page, "text/html", {"Content-Encoding": "gzip"})
    with pytest.raises(BlockedError, match="captcha"):
        get("/a")


@pytest.mark.parametrize("path", ["/a", "/robots.txt"])
def test_a_named_wait_holds_the_host(host: Host, turns: Turns, get: Get, path: str) -> None:
    host.answers[path] = Answer(429, b"", headers={"Retry-After": "40"})
    with pytest.raises(RateLimitedError) as raised:
        get("/a")
    assert raised.value.retry_after_seconds == 40
    assert turns.holds == [40]


def test_an_unchanged_response_is_reused(host: Host, get: Get) -> None:
    body = gzip.compress(b"[1, 2]")
    host.answers["/a"] = Answer(200, body, headers={"ETag": '"1"', "Content-Encoding": "gzip"})
    assert get("/a", is_conditional=True).body == b"[1, 2]"
    again = get("/a", is_conditional=True)
    assert (again.status, again.body) == (200, b"[1, 2]")
    assert host.seen[-1][2]["if-none-match"] == '"1"'
    get("/a")
    assert "if-none-match" not in host.seen[-1][2]
    host.answers["/a"] = Answer(200, b"[3]", headers={"ETag": '"2"'})
    assert get("/a", is_conditional=True).body == b"[3]"


def test_a_fresh_response_is_reused_without_a_request(host: Host, clock: FakeClock, get: Get) -> None:
    host.answers["/a"] = Answer(200, b"1", headers={"Cache-Control": "public, max-age=30", "Age": "10"})
    get("/a", is_conditional=True)
    host.answers["/a"] = Answer(200, b"2")
    clock.advance(19)
    assert get("/a", is_conditional=True).body == b"1"
    clock.advance(1)
    assert get("/a", is_conditional=True).body == b"2"
    assert host.paths().count("/a") == 2


def test_few_responses_are_kept_and_none_that_must_not_be_stored(host: Host, get: Get) -> None:
    for n in range(5):
        host.answers[f"/{n}"] = Answer(200, b"", headers={"ETag": f'"{n}"'})
        get(f"/{n}", is_conditional=True)
    host.answers["/5"] = Answer(200, b"", headers={"ETag": '"5"', "Cache-Control": "no-store"})
    get("/5", is_conditional=True)
    host.answers["/6"] = Answer(200, b"")  # it can never be reused, and takes no other's place
    get("/6", is_conditional=True)
    for n in (5, 1, 0):
        get(f"/{n}", is_conditional=True)
    assert ["if-none-match" in headers for _, _, headers, _ in host.seen[-3:]] == [False, True, False]


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"x" * 101, {}, "larger than 100 bytes"),
        (gzip.compress(b"x" * 10_000), {"Content-Encoding": "gzip"}, "larger than 100 bytes"),
        (gzip.compress(b"x" * 50)[:-9], {"Content-Encoding": "gzip"}, "truncated"),
        (b"<html>", {"Content-Encoding": "gzip"}, "not valid gzip"),
        (b"x", {"Content-Encoding": "br"}, "encoding br"),
    ],
    ids=["large", "large once decoded", "cut off", "no gzip", "another encoding"],
)
def test_a_body_is_bounded_and_complete(
    host: Host, get: Get, body: bytes, headers: dict[str, str], message: str
) -> None:
    host.answers["/a"] = Answer(200, body, headers=headers)
    with pytest.raises(MalformedResponseError, match=message):
        get("/a", max_bytes=100)


def test_a_rate_limit_without_a_time_holds_the_host_for_a_minute(host: Host, turns: Turns, get: Get) -> None:
    host.answers["/a"] = Answer(429, b"")
    with pytest.raises(RateLimitedError):
        get("/a")
    assert turns.holds == [60]


def test_a_request_waits_for_its_turn_and_not_longer_than_its_patience(
    host: Host, turns: Turns, clock: FakeClock
) -> None:
    waited: list[float] = []
    client = CatalogClient(
        "state", host.url, user_agent="Rollcall", gate=turns, clock=clock, wait=waited.append
    )
    turns.waits = [2, 2.5]
    assert client.run(once(CatalogRequest("GET", f"{host.url}/a"))).status == 404
    assert waited == [2, 2.5]
    turns.waits = [59, 2]
    with pytest.raises(NoTurnError, match="no turn: its requests are spaced") as raised:
        client.run(once(CatalogRequest("GET", f"{host.url}/a")))
    assert raised.value.retry_after_seconds == 2
    assert turns.entered == turns.left == 2


def test_without_a_turn_robots_txt_counts_as_unread_and_the_catalog_as_well(
    host: Host, turns: Turns, get: Get
) -> None:
    turns.waits = [61]
    with pytest.raises(NoTurnError):
        get("/a")
    assert get("/a").status == 404


def test_the_turn_ends_when_the_host_does_not_answer(host: Host, turns: Turns, get: Get) -> None:
    get("/a")
    host.answers["/a"] = None
    with pytest.raises(MalformedResponseError):
        get("/a")
    assert turns.entered == turns.left == 3


def test_a_caller_may_send_the_requests_itself(host: Host, client: CatalogClient, turns: Turns) -> None:
    steps = client.steps(once(CatalogRequest("POST", f"{host.url}/app/rows", b"a=1")))
    robots = next(steps)
    assert (robots.method, robots.url) == ("GET", f"{host.url}/robots.txt")
    request = steps.send(HttpResponse(404, b""))
    assert (request.url, request.body) == (f"{host.url}/app/rows", b"a=1")
    assert {"User-Agent", "Content-Type", "Accept-Encoding"} <= request.headers.keys()
    with pytest.raises(StopIteration) as ended:
        steps.send(HttpResponse(200, b"rows"))
    assert ended.value.value.body == b"rows"
    assert (host.seen, turns.entered) == ([], 0)


def test_an_exchange_receives_the_error_of_a_request(host: Host, client: CatalogClient) -> None:
    def exchange() -> Exchange[str]:
        try:
            yield CatalogRequest("GET", f"{host.url}/a")
        except UnreachableError:
            return "cleaned up"
        raise AssertionError

    steps = client.steps(exchange())
    next(steps)
    steps.send(HttpResponse(404, b""))
    with pytest.raises(StopIteration) as ended:
        steps.throw(UnreachableError("no connection"))
    assert ended.value.value == "cleaned up"
