"""The scraper service as a catalog: one request per section, many in parallel, behind a synchronous API."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalogs.concurrency import ConcurrencyLimiter
from catalogs.scraper_parser import Parser
from domain.check import Result, degraded, healthy, unhealthy
from domain.errors import RateLimitedError, UnauthorisedError, UnreachableError, UpstreamTimeoutError
from domain.observation import CheckFailure, Missing, Outcome
from domain.plugin import Plugin, Ports, ProbeContext
from domain.ports import Clock, Pacer, Reservation, Source
from domain.section import SectionKey
from domain.setting import BASE_URL, TOKEN, SettingsGroup, integer, setting
from providers.http import HttpRequest

if TYPE_CHECKING:
    from providers.http_pool import HttpPool

PATIENCE_SECONDS = 20
_MIN_CHUNK = 25
_BURST = 25
_PROBE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class ScraperSettings(SettingsGroup):
    """Catalog: the scraper service."""

    url: str | None = setting("SCRAPER_URL", BASE_URL, doc="the scraper service", unset="demo campus")
    token: str | None = setting("SCRAPER_SECRET_TOKEN", TOKEN, secret=True, doc="its bearer token")
    timeout_seconds: int = setting(
        "SCRAPER_TIMEOUT_SECONDS", integer(1, 300, "seconds"), 30, doc="per request"
    )
    max_concurrency: int = setting(
        "SCRAPER_MAX_CONCURRENCY", integer(1, 1000), 10, doc="requests in flight per worker process"
    )
    requests_per_minute: int = setting(
        "SCRAPER_REQUESTS_PER_MINUTE", integer(0, 1_000_000), 900, doc="limit of all processes; 0 for none"
    )

    def conflicts(self) -> dict[str, str]:
        """Return an error if the URL has no token."""
        return (
            {"SCRAPER_SECRET_TOKEN": "must be set beside SCRAPER_URL"} if self.url and not self.token else {}
        )


class Scraper:
    """`domain.ports.Source` over the scraper service (`POST {url}/scrape`).

    Any thread may call `observe`: all share `max_concurrency` requests in flight, each with
    `timeout_seconds` from when it is sent. `pacer` None means that the fleet has no limit.
    Nothing connects, and libcurl is not loaded, before the first `observe`.
    """

    name = "scraper"

    def __init__(  # noqa: PLR0913 - every one is a setting of its own, by keyword
        self,
        *,
        url: str,
        token: str,
        clock: Clock,
        timeout_seconds: float = 30,
        max_concurrency: int = 10,
        chunk_size: int = 25,
        pacer: Pacer | None = None,
        requests_per_minute: int = 0,
    ) -> None:
        self._request = HttpRequest(
            "POST",
            f"{url.rstrip('/')}/scrape",
            {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
            timeout_seconds,
            secrets=(token,),
            is_repeatable=True,
        )
        self._clock = clock
        self._max_concurrency = max_concurrency
        self._concurrency = ConcurrencyLimiter(max_concurrency)
        self._parser = Parser(token)
        self._idle: list[HttpPool[SectionKey]] = []
        self._chunk_size = chunk_size
        self._pacer = pacer
        self._requests_per_minute = requests_per_minute

    def longest_probe_seconds(self, probes: int) -> float:
        """The maximum duration of `observe` for `probes` sections, with waits for rate limit and slots."""
        paced_seconds = (probes - 1) * 60 / self._requests_per_minute if self._requests_per_minute else 0
        rounds = math.ceil(probes / self._max_concurrency)
        return PATIENCE_SECONDS + paced_seconds + rounds * self._request.timeout_seconds

    def plan(self, keys: Iterable[SectionKey]) -> Iterator[Sequence[SectionKey]]:
        """Chunks of `chunk_size`, the keys in order: the same keys always make the same batches."""
        ordered = sorted(keys)
        for start in range(0, len(ordered), self._chunk_size):
            yield ordered[start : start + self._chunk_size]

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        """One outcome per key, in the order in which the responses arrive; blocks, and may be interrupted.

        If no slot becomes free soon, as after a 429, no request is sent, so that the thread is not blocked.

        Raises: RuntimeError after `close`.
        """
        if not keys:
            return []
        pace = self._pacer.reserve(len(keys), patience_seconds=PATIENCE_SECONDS) if self._pacer else None
        if pace is not None and pace.start_in_seconds > PATIENCE_SECONDS:
            wait = RateLimitedError("the fleet must wait", retry_after_seconds=pace.start_in_seconds)
            return [CheckFailure(key, wait) for key in keys]
        return self._exchange(keys, pace)

    def close(self) -> None:
        """Close the connections at once; running calls of `observe` raise within 0.2 s."""
        self._concurrency.close()
        with suppress(IndexError):  # a list's `pop` is atomic: threads that end now may do the same
            while True:
                self._idle.pop().close()

    def _exchange(self, keys: Sequence[SectionKey], pace: Reservation | None) -> list[Outcome]:
        # Web and CLI processes create a Scraper but never observe; they do not load libcurl.
        from catalogs.scraper_batch import ScrapeBatch  # noqa: PLC0415

        pool = self._pool()
        try:
            hold = self._pacer.hold if self._pacer else lambda _seconds: None
            batch = ScrapeBatch(
                pool,
                self._concurrency,
                request=self._request,
                parser=self._parser,
                clock=self._clock,
                hold=hold,
            )
            outcomes = batch.run(keys, pace)
        except BaseException:
            pool.close()
            raise
        self._idle.append(pool)
        if self._concurrency.is_closed:
            self.close()
        return outcomes

    def _pool(self) -> HttpPool[SectionKey]:
        """The most recently used pool, whose connections are the freshest, or a new one."""
        from providers.http_pool import HttpPool  # noqa: PLC0415

        try:
            return self._idle.pop()
        except IndexError:
            return HttpPool(self._max_concurrency)


def _build(settings: ScraperSettings, ports: Ports) -> Source:
    rate = settings.requests_per_minute
    return Scraper(
        url=settings.url or "",
        token=settings.token or "",
        clock=ports.clock,
        timeout_seconds=settings.timeout_seconds,
        max_concurrency=settings.max_concurrency,
        # One thread's chunk fills every slot, so that none idles while another thread settles its results.
        chunk_size=max(_MIN_CHUNK, settings.max_concurrency),
        pacer=ports.pacer(Scraper.name, rate, _BURST),
        requests_per_minute=rate,
    )


def _probe(settings: ScraperSettings, context: ProbeContext) -> Result:
    """Ask about one section, as a worker would."""
    url, key = settings.url or "", context.section or SectionKey(Scraper.name, "0", "0")
    seconds = min(settings.timeout_seconds, _PROBE_SECONDS)
    scraper = Scraper(url=url, token=settings.token or "", clock=context.clock, timeout_seconds=seconds)
    try:
        (outcome,) = scraper.observe([key])
    finally:
        scraper.close()
    if not isinstance(outcome, CheckFailure):
        answer = "is not known to it" if isinstance(outcome, Missing) else "was read"
        return healthy(f"{url} accepts the token; {outcome.key} {answer}")
    error = outcome.error
    if isinstance(error, UnauthorisedError):
        return unhealthy(f"{url} refuses the token: {error}", "correct SCRAPER_SECRET_TOKEN")
    if isinstance(error, RateLimitedError):
        return degraded(f"{url}: {error}", "lower SCRAPER_REQUESTS_PER_MINUTE")
    if isinstance(error, (UnreachableError, UpstreamTimeoutError)):
        return unhealthy(f"{url}: {error}", f"start the scraper at {url}, or correct SCRAPER_URL")
    return degraded(f"{url} breaks its contract: {error}", "read its log, or correct SCRAPER_URL")


PLUGIN = Plugin("scraper", ScraperSettings, _build, key="SCRAPER_URL", probe=_probe)
