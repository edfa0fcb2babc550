"""Probes of mail: the provider accepts the credentials, and a message can be rendered. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parseaddr

from domain.check import Result, healthy, unhealthy
from domain.errors import InvalidInputError, RollcallError, UnauthorisedError
from domain.notification import Notification, OutboundMessage
from domain.plugin import SettingsByGroup
from domain.ports import Clock
from domain.section import SectionKey
from domain.watch import NotificationKind
from notifications.messages import to_mime
from notifications.postmark import Postmark, PostmarkSettings
from notifications.resend import Resend, ResendSettings
from notifications.smtp import Smtp, SmtpSettings

_TIMEOUT_SECONDS = 8.0
_VERIFIED = "verified"
_KEY = SectionKey("dry-run", "2261", "12431")

LogIn = Callable[[SettingsByGroup, str, Clock], Result]


def probe_login(transport: str, settings: SettingsByGroup, sender: str, clock: Clock) -> Result:
    """Return whether the provider of `transport` accepts the credentials and the `sender`."""
    setting, log_in = _LOGINS[transport]
    try:
        return log_in(settings, sender, clock)
    except (InvalidInputError, UnauthorisedError) as error:
        return unhealthy(str(error), f"correct {setting}")
    except RollcallError as error:
        return unhealthy(str(error), f"make the provider reachable from here, or correct {setting}")


def _resend(settings: SettingsByGroup, sender: str, clock: Clock) -> Result:
    account = settings.of(ResendSettings)
    resend = Resend(account.api_key or "", clock, account.api_url, timeout_seconds=_TIMEOUT_SECONDS)
    domains = resend.domains()
    if domains is None:
        return healthy("Resend accepts the key, which may only send")
    domain = parseaddr(sender)[1].rpartition("@")[2]
    state = domains.get(domain, "not a domain of this account")
    if state != _VERIFIED:
        hint = f"verify {domain} in Resend's dashboard, or correct NOTIFICATION_FROM_EMAIL"
        return unhealthy(f"Resend accepts the key, but {domain} is {state}", hint)
    return healthy(f"Resend accepts the key, and {domain} is verified")


def _postmark(settings: SettingsByGroup, _sender: str, _clock: Clock) -> Result:
    account = settings.of(PostmarkSettings)
    Postmark(account.server_token or "", account.api_url, _TIMEOUT_SECONDS).log_in()
    return healthy("Postmark accepts the token")


def _smtp(settings: SettingsByGroup, _sender: str, clock: Clock) -> Result:
    Smtp(settings.of(SmtpSettings).url or "", clock, _TIMEOUT_SECONDS).log_in()
    return healthy("the mail server accepts the login")


_LOGINS: dict[str, tuple[str, LogIn]] = {
    "resend": ("RESEND_API_KEY", _resend),
    "postmark": ("POSTMARK_SERVER_TOKEN", _postmark),
    "smtp": ("SMTP_URL", _smtp),
}


def probe_rendering(render: Callable[[Notification, datetime], OutboundMessage], now: datetime) -> Result:
    """Return whether `render` makes a message that can be sent. Raises: any error of it."""
    seat = NotificationKind.SEAT_AVAILABLE
    notification = Notification(1, 1, "ada@example.edu", seat, _KEY, 1, now, 1, 30, None)
    size = len(to_mime(render(notification, now), now).as_bytes())
    return healthy(f"a message of {size} bytes can be rendered")
