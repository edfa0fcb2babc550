"""What the web role serves: the ingress' surfaces over one system."""

from __future__ import annotations

from ingress.console import sign_in
from ingress.context import WebContext
from notifications.resend_events import ResendEvents
from observability.metrics import Exposition
from observability.shared_reading import SharedReading
from providers.stripe import StripeEvents
from resilience.login_protection import LoginLimiter
from rollcall.control import control_room
from rollcall.exposition import readings
from rollcall.health import Health
from rollcall.storage import storage_of
from rollcall.wiring import System, required

_SIGN_INS, _SIGN_INS_OVERALL, _SIGN_IN_WINDOW_SECONDS = 10, 100, 900


def surfaces(system: System, health: Health) -> WebContext:
    """The ingress' surfaces over `system`."""
    settings = system.settings
    secret = settings.resend_webhook_secret
    report = SharedReading(health.report, limit_seconds=8.0, fresh_seconds=3.0)
    return WebContext(
        services=system.services,
        storage=storage_of(settings),
        room=control_room(system),
        links=system.links,
        events=None if secret is None else ResendEvents(secret, system.services.clock),
        payment_events=_payment_events(settings.stripe_webhook_secret),
        cron_secret=required(settings.cron_secret),
        api_token=required(settings.api_token),
        public_url=settings.base_url,
        default_source=next(iter(system.services.sources)),
        environment=settings.environment,
        sign_ins=LoginLimiter(
            system.redis,
            "sign-in",
            each=_SIGN_INS,
            overall=_SIGN_INS_OVERALL,
            window_seconds=_SIGN_IN_WINDOW_SECONDS,
        ),
        invitations=sign_in.tickets(system.redis),
        health=report.new,
        latest_health=report.latest,
        ready=health.ready,
        metrics=Exposition(readings(system)),
        proxy_secret=settings.proxy_secret,
    )


def _payment_events(secret: str | None) -> StripeEvents | None:
    return None if secret is None else StripeEvents(secret)
