"""Detects changed settings of an upstream when a process starts, and ends waits from the old ones."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError

from actors.resumption import end_waits
from catalogs.scraper import Scraper
from domain.errors import UnreachableError
from domain.notification import MAIL
from resilience.rate_limiter import RateLimiter
from rollcall.settings import Settings
from rollcall.wiring import System, required

_THROTTLES = {Scraper.name: Scraper.name, MAIL: "resend"}
_log = logging.getLogger(__name__)


def adopt(system: System) -> None:
    """End the waits of each upstream whose credentials, address or quota changed.

    An unreachable store is logged: the waits then expire.
    """
    try:
        for name, digest in digests(system.settings).items():
            if name in system.services.breakers and system.services.store.upstreams.adopt(name, digest):
                RateLimiter(system.redis, _THROTTLES[name], 0).forget()
                end_waits(system.services, name)
    except (UnreachableError, DBAPIError):
        _log.warning("cannot end the waits for earlier settings", exc_info=True)


def digests(settings: Settings) -> Mapping[str, str]:
    """Return each upstream's settings as a keyed digest: the database stores no secret."""
    of_scraper = (settings.scraper_url, settings.scraper_secret_token, settings.scraper_requests_per_minute)
    of_mail = (
        settings.transport, settings.notification_from_email,
        settings.resend_api_key, settings.resend_api_url,
        settings.postmark_server_token, settings.postmark_api_url, settings.smtp_url,
    )  # fmt: skip
    key = required(settings.unsubscribe_secret).encode()
    found = {Scraper.name: of_scraper, MAIL: of_mail}
    return {name: hmac.new(key, repr(of).encode(), hashlib.sha256).hexdigest() for name, of in found.items()}
