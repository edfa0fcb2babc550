"""Checks of the catalogs: each is asked about one section, as a worker would."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from catalogs.demo_campus import DemoCampus
from catalogs.scraper import Scraper, ScraperSettings
from domain.errors import RateLimitedError, UnauthorisedError, UnreachableError, UpstreamTimeoutError
from domain.observation import CheckFailure, Missing, Outcome
from domain.section import SectionKey, Stagger
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.database import reading
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.wiring import SystemClock
from store.sections.states import Sections

_MOST_SECONDS = 30
_MARGIN_SECONDS = 2.0


def checks(case: InspectedSettings) -> tuple[Check, ...]:
    """Return one check per configured source."""
    if case.settings.of(ScraperSettings).url is None and "SCRAPER_URL" not in case.problems:
        return (Check(f"source.{DemoCampus.name}", _campus, "set SCRAPER_URL"),)
    needs = ("settings.SCRAPER_URL", "settings.SCRAPER_SECRET_TOKEN", "settings.SCRAPER_TIMEOUT_SECONDS")
    limit_seconds = _patience_seconds(case) + _MARGIN_SECONDS
    return (Check(f"source.{Scraper.name}", _scraper, "correct SCRAPER_URL", needs, limit_seconds),)


def _campus(_case: InspectedSettings) -> Verdict:
    asked = DemoCampus.sections()
    return ok(f"demo campus, {len(DemoCampus(SystemClock()).observe(asked))} sections")


def _scraper(case: InspectedSettings) -> Verdict:
    settings = case.settings.of(ScraperSettings)
    scraper = Scraper(
        url=settings.url or "",
        token=settings.token or "",
        clock=SystemClock(),
        timeout_seconds=_patience_seconds(case),
    )
    key = _watched(case) or SectionKey(Scraper.name, "0", "0")
    try:
        (outcome,) = scraper.observe([key])
    finally:
        scraper.close()
    return _verdict(outcome, settings.url or "")


def _patience_seconds(case: InspectedSettings) -> int:
    return min(case.settings.of(ScraperSettings).timeout_seconds, _MOST_SECONDS)


def _watched(case: InspectedSettings) -> SectionKey | None:
    """Return a watched section, which the catalog should know; None if there is none or it is unreadable."""
    try:
        with reading(case) as database:
            return next(iter(Sections(database).due(Stagger.ALL, [Scraper.name], SystemClock().now())), None)
    except DBAPIError:
        return None


def _verdict(outcome: Outcome, url: str) -> Verdict:
    if not isinstance(outcome, CheckFailure):
        known = "is not known to it" if isinstance(outcome, Missing) else "was read"
        return ok(f"{url} takes our token; {outcome.key} {known}")
    error = outcome.error
    if isinstance(error, UnauthorisedError):
        return failure(f"{url} refuses our token: {error}", "correct SCRAPER_SECRET_TOKEN")
    if isinstance(error, RateLimitedError):
        return warning(f"{url}: {error}", "lower SCRAPER_REQUESTS_PER_MINUTE")
    if isinstance(error, (UnreachableError, UpstreamTimeoutError)):
        return failure(f"{url}: {error}", f"start the scraper at {url}, or correct SCRAPER_URL")
    return warning(
        f"{url} answers, but not as agreed: {error}", "look at the scraper's own log, or correct SCRAPER_URL"
    )
