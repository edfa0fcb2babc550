"""The context of HTTP requests: services and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.services import Services
from domain.errors import InvalidInputError
from domain.ports import Storage
from notifications.resend_events import ResendEvents
from notifications.unsubscribe_links import UnsubscribeLinks
from observability.health import HealthReport
from operations.context import AdminContext
from operations.uploads import UploadPorts
from providers.stripe_events import StripeEvents
from resilience.login_protection import LoginLimiter, OneTimeTokens


@dataclass(frozen=True, slots=True)
class WebContext:
    """Everything that a request may use.

    Shape: `events` and `payment_events` are None while their webhook secret is not configured; `public_url`
    starts absolute URLs, without a trailing slash; `environment` names this installation to people;
    `sign_ins` limits sign-in attempts, and `invitations` stores one-time sign-in tokens; `health` reads
    everything at each call, `latest_health` and `ready` share a recent reading (the first two raise
    UnreachableError without an answer in time); `metrics` returns a body and its content type. `proxy_secret`
    authenticates the reverse proxy.

    Raises: InvalidInputError when a secret is empty, which would admit everyone.
    """

    services: Services
    storage: Storage
    uploads: UploadPorts
    admin: AdminContext
    links: UnsubscribeLinks
    events: ResendEvents | None
    payment_events: StripeEvents | None
    cron_secret: str = field(repr=False)
    api_token: str = field(repr=False)
    public_url: str
    default_source: str
    environment: str
    sign_ins: LoginLimiter
    invitations: OneTimeTokens
    health: Callable[[], HealthReport]
    latest_health: Callable[[], HealthReport]
    ready: Callable[[], HealthReport]
    metrics: Callable[[], tuple[bytes, str]]
    proxy_secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        secrets = {"cron_secret": self.cron_secret, "api_token": self.api_token}
        problems = {name: "must not be empty" for name, secret in secrets.items() if not secret}
        if problems:
            raise InvalidInputError(problems)

    def address(self, path: str) -> str:
        """Return the absolute public URL of `path`."""
        return self.public_url.rstrip("/") + path
