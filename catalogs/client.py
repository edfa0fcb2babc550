"""Runs exchanges with one catalog over HTTP, with the manners that every catalog may expect.

Each request takes its turn at the host, names us and stays on the catalog's host and within its robots.txt. A
catalog that refuses us is asked nothing else. Redirects are never followed.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

from catalogs.family import CatalogRequest, Exchange, Session, run_exchange
from catalogs.faults import refusal
from catalogs.robots import Robots, read_robots
from catalogs.samples import Sample, sample_of
from domain.catalog import BlockedError, NoTurnError
from domain.errors import InvalidInputError, MalformedResponseError, RateLimitedError, RollcallError
from domain.ports import Clock, HostGatePort
from providers.http import MIB, HttpClient, HttpResponse
from providers.public_address import is_public

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 30.0
"""The maximum duration of one request."""
ROBOTS_AGE: Final = timedelta(hours=24)
"""How long a robots.txt is used. Source: RFC 9309, 2.4."""
DEFAULT_HOLD_SECONDS: Final = 60.0
"""How long a host is not asked that wants fewer requests and states no time."""
_ROBOTS_REDIRECTS = 5  # RFC 9309, 2.3.1.2
_KEPT_RESPONSES = 4
_KEPT_BYTES = 8 * MIB
_MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_PRIVATE_NAMES = (".localhost", ".local", ".internal")


@dataclass(frozen=True, slots=True)
class _Kept:
    """A response as received, with its encoding, for the next conditional request to the same URL."""

    response: HttpResponse
    etag: str
    fresh_until: datetime


_Key: TypeAlias = tuple[str, frozenset[tuple[str, str]]]
"""The URL and the headers of a conditional request."""


class CatalogClient:
    """The client of the catalog at `base_url`, for one thread at a time; all its requests share cookies.

    Shape: `name` is the catalog's id, `gate` admits the requests of every process to its host. `requests` is
    the number of requests so far, `seconds` the time that their responses took, `sample` the last response
    that an exchange received. `run` waits for a turn at most for `patience_seconds`, with `wait`.
    Raises: InvalidInputError if `base_url` is neither https nor a private host's.
    """

    def __init__(  # noqa: PLR0913 - the parts that tests replace, by keyword
        self,
        name: str,
        base_url: str,
        *,
        user_agent: str,
        gate: HostGatePort,
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
        patience_seconds: float = 60.0,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = name
        self.session = Session()
        self.requests = 0
        self.seconds = 0.0
        self.sample: Sample | None = None
        self._origin = origin_of(base_url)
        self._user_agent = user_agent
        self.gate = gate
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._wait = wait
        # A catalog is only read: every request may be repeated.
        self._http = HttpClient(name, timeout_seconds, is_repeatable=True, keeps_cookies=True)
        self._robots = Robots()
        self._robots_until: datetime | None = None
        self._kept: dict[_Key, _Kept] = {}

    def run(self, exchange: Exchange[T]) -> T:
        """The result of `exchange`; waits for the turn of each request.

        Raises: as `steps`, with NoTurnError if no turn comes soon and the errors of `providers.http`.
        """
        return run_exchange(self.steps(exchange), self._send)

    def steps(self, exchange: Exchange[T]) -> Exchange[T]:
        """`exchange` as requests that are complete, robots.txt included; for a caller that sends them itself.

        Each is sent within a turn of `gate`, with the cookies of the session; its response is received, or
        its error thrown. Raises: as the exchange, which receives responses of any status but a refusal; and
        into it BlockedError after 401, 403, a captcha or by robots.txt, RateLimitedError after 429 or 503
        with Retry-After, InvalidInputError for another host, and what the caller throws.
        """
        try:
            request = next(exchange)
            while True:
                try:
                    response = yield from self._respond(request)
                    self.sample = sample_of(request, response)
                except Exception as error:  # noqa: BLE001 - the exchange may clean up, and decides what it means
                    request = exchange.throw(error)
                else:
                    request = exchange.send(response)
        except StopIteration as ended:
            result: T = ended.value
            return result

    def _send(self, request: CatalogRequest) -> HttpResponse:
        self._take_turn()
        try:
            return self._http.request(
                request.method, request.url, request.body, request.headers, max_bytes=request.max_bytes
            )
        finally:
            self.gate.leave()

    def _take_turn(self) -> None:
        waited_seconds = 0.0
        while not (turn := self.gate.enter()).is_granted:
            waited_seconds += turn.wait_seconds
            if waited_seconds > self._patience_seconds:
                raise NoTurnError(f"no turn: {turn.reason}", retry_after_seconds=turn.wait_seconds)
            self._wait(turn.wait_seconds)

    def _respond(self, request: CatalogRequest) -> Exchange[HttpResponse]:
        self._check_host(request.url)
        yield from self._check_robots(request.url)
        if request.is_conditional and request.method == "GET":
            return (yield from self._respond_conditionally(request))
        _, response = yield from self._request(request, {})
        return response

    def _check_host(self, url: str) -> None:
        if origin_of(url) != self._origin:
            raise InvalidInputError({"url": f"{self.name}: {url} is not on {self._origin}"})

    def _respond_conditionally(self, request: CatalogRequest) -> Exchange[HttpResponse]:
        key = request.url, frozenset(request.headers.items())
        kept = self._kept.get(key)
        if kept is not None and self._clock.now() < kept.fresh_until:
            return _decoded(kept.response, request.max_bytes)
        asked_at = self._clock.now()
        conditions = {"If-None-Match": kept.etag} if kept and kept.etag else {}
        received, response = yield from self._request(request, conditions)
        fresh_until = _fresh_until(received, asked_at)
        if kept is not None and received.status == HTTPStatus.NOT_MODIFIED:
            self._keep(key, replace(kept, fresh_until=fresh_until))
            return replace(_decoded(kept.response, request.max_bytes), took_seconds=received.took_seconds)
        self._kept.pop(key, None)
        etag = received.header("etag") or ""
        if _may_keep(received) and (etag or fresh_until > asked_at):
            self._keep(key, _Kept(received, etag, fresh_until))
        return response

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._kept.pop(key, None)  # the oldest is first
        self._kept[key] = kept
        while len(self._kept) > _KEPT_RESPONSES:
            del self._kept[next(iter(self._kept))]

    def _request(
        self, request: CatalogRequest, conditions: Mapping[str, str]
    ) -> Exchange[tuple[HttpResponse, HttpResponse]]:
        """The response as received, and decoded."""
        headers = {**request.headers, **conditions, "User-Agent": self._user_agent, "Accept-Encoding": "gzip"}
        if request.body or request.method == "POST":
            headers["Content-Type"] = request.content_type
        self.requests += 1
        received = yield replace(request, headers=headers)
        self.seconds += received.took_seconds
        response = _decoded(received, request.max_bytes)
        error = refusal(response, self.name, self._clock.now())
        if error is not None:
            self._hold(error)
            raise error
        return received, response

    def _hold(self, error: RollcallError) -> None:
        if isinstance(error, RateLimitedError):
            self.gate.hold(error.retry_after_seconds or DEFAULT_HOLD_SECONDS)

    def _check_robots(self, url: str) -> Exchange[None]:
        if self._robots_until is None or self._clock.now() >= self._robots_until:
            self._robots = yield from self._read_robots(f"{self._origin}/robots.txt")
            self._robots_until = self._clock.now() + ROBOTS_AGE
        rule = self._robots.refusing(url)
        if rule is not None:
            raise BlockedError(f"{self.name}: robots.txt disallows {rule.pattern}")

    def _read_robots(self, url: str) -> Exchange[Robots]:
        """The host's rules; without a robots.txt (4xx) everything is allowed. Source: RFC 9309, 2.3.1.

        A redirect to another host counts as no robots.txt: no other host is asked.
        """
        for _ in range(_ROBOTS_REDIRECTS + 1):
            response = yield from self._get_robots(url)
            if response.status in range(200, 300):
                return read_robots(response.body.decode("utf-8", "replace"), self._user_agent)
            if response.status not in range(300, 400):
                break
            url = urljoin(url, response.header("location") or "")
            if not url.startswith(f"{self._origin}/"):
                break
        return Robots()

    def _get_robots(self, url: str) -> Exchange[HttpResponse]:
        request = CatalogRequest("GET", url, headers={"User-Agent": self._user_agent}, max_bytes=MIB)
        self.requests += 1
        try:
            response = yield request
        except NoTurnError:
            raise
        except RollcallError as error:
            raise BlockedError(f"{self.name}: robots.txt cannot be read: {error}") from error
        self.seconds += response.took_seconds
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            limited = response.error(f"{self.name}: robots.txt: too many requests (429)", self._clock.now())
            self._hold(limited)
            raise limited
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = f"{self.name}: robots.txt cannot be read: {response.status}"
            raise BlockedError(problem) from response.error(problem)
        return response


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`. Raises: InvalidInputError if it is neither https nor private."""
    parts = urlsplit(url)
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_private(url))
    if not is_allowed or not parts.hostname or "@" in parts.netloc:
        raise InvalidInputError({"url": f"{url} must be an https URL without credentials"})
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_private(url: str) -> bool:
    """Whether the host of `url` is on loopback or in a private network, by its address or name."""
    host = urlsplit(url).hostname or ""
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_NAMES)


def _decoded(response: HttpResponse, max_bytes: int) -> HttpResponse:
    """`response` with its body decoded. Raises: MalformedResponseError if it is larger than `max_bytes`."""
    encoding = (response.header("content-encoding") or "identity").lower()
    if encoding == "identity" or not response.body:
        return response
    if encoding not in {"gzip", "x-gzip"}:
        raise MalformedResponseError(f"the response has the encoding {encoding}, which was not asked for")
    decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = decoder.decompress(response.body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedResponseError("the response is not valid gzip") from error
    if len(body) > max_bytes:
        raise MalformedResponseError(f"the response is larger than {max_bytes:,} bytes")
    if not decoder.eof:
        raise MalformedResponseError("the response was truncated")
    return replace(response, body=body)


def _may_keep(response: HttpResponse) -> bool:
    control = (response.header("cache-control") or "").lower()
    is_small = len(response.body) <= _KEPT_BYTES
    return response.status == HTTPStatus.OK and is_small and "no-store" not in control


def _fresh_until(response: HttpResponse, asked_at: datetime) -> datetime:
    """Until when `response` may be used without asking again. Source: RFC 9111, 4.2."""
    control = response.header("cache-control") or ""
    named = _MAX_AGE.search(control)
    if named is None or "no-cache" in control.lower():
        return asked_at
    age = response.header("age") or ""
    seconds = int(named[1]) - (int(age) if age.isascii() and age.isdigit() else 0)
    return asked_at + timedelta(seconds=max(0, seconds))
