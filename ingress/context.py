"""What the HTTP surfaces are given: the services they read, and the secrets they compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.services import Services
from domain.errors import InvalidInputError
from domain.ports import Storage
from notifications.resend_events import ResendEvents
from notifications.unsubscribe_links import UnsubscribeLinks
from observability.health import HealthReport
from operations.operation import AdminContext
from providers.stripe import StripeEvents
from resilience.login_protection import LoginLimiter, OneTimeTokens


@dataclass(frozen=True, slots=True)
class WebContext:
    """Everything that a request may touch.

    Shape: `events` and `payment_events` are None while their webhook secret is not configured;
    `public_url` is what absolute addresses start with, without a slash at its end; `environment` names
    this installation to people, `sign_ins` bounds how often they may try to enter the console, and
    `invitations` let them in once each;
    `health` reads everything anew, `latest_health` and `ready` share what was read moments ago (the first two
    raise UnreachableError when there is no answer in time); `metrics` gives a body and its content type.
    `proxy_secret` is what the reverse proxy is known by.

    Raises: InvalidInputError when a secret is empty, for it would let everybody in.
    """

    services: Services
    storage: Storage
    room: AdminContext
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
        """The absolute address of `path`, as the world sees it."""
        return self.public_url.rstrip("/") + path
