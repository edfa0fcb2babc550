"""Probes of catalogs: each is asked about one section, as a worker would."""

from __future__ import annotations

from catalogs.scraper import Scraper, ScraperSettings
from domain.check import Result, degraded, healthy, unhealthy
from domain.errors import RateLimitedError, UnauthorisedError, UnreachableError, UpstreamTimeoutError
from domain.observation import CheckFailure, Missing
from domain.ports import Clock
from domain.section import SectionKey


def probe_scraper(
    settings: ScraperSettings, key: SectionKey | None, clock: Clock, timeout_seconds: float
) -> Result:
    """Return whether the scraper service answers about `key`, or without one about an unknown section."""
    url, key = settings.url or "", key or SectionKey(Scraper.name, "0", "0")
    scraper = Scraper(url=url, token=settings.token or "", clock=clock, timeout_seconds=timeout_seconds)
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
    return degraded(
        f"{url} breaks its contract: {error}", "read the scraper's own log, or correct SCRAPER_URL"
    )
