"""Checks of mail: the provider accepts our credentials, and messages render. Nothing is sent."""

from __future__ import annotations

from email.utils import parseaddr

from domain.errors import InvalidInputError, RollcallError, UnauthorisedError
from domain.notification import Notification
from domain.section import SectionKey
from domain.watch import NotificationKind
from notifications.messages import Renderer, to_mime
from notifications.postmark import Postmark, PostmarkSettings
from notifications.resend import ResendSettings
from notifications.smtp import Smtp, SmtpSettings
from notifications.unsubscribe_links import UnsubscribeLinks
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok
from rollcall.settings import Settings
from rollcall.wiring import SystemClock

_TIMEOUT_SECONDS = 8.0
_VERIFIED = "verified"


def _login(case: InspectedSettings) -> Verdict:
    settings = case.settings
    if settings.transport == "preview":
        return ok(f"mail goes to the preview outbox, {settings.home / 'outbox'}")
    name, log_in = _LOGINS[settings.transport]
    try:
        return log_in(settings)
    except (InvalidInputError, UnauthorisedError) as error:
        return failure(str(error), f"correct {name}")
    except RollcallError as error:
        return failure(str(error), f"make the provider reachable from here, or correct {name}")


def _resend(settings: Settings) -> Verdict:
    from notifications.resend import Resend  # noqa: PLC0415 - one transport is enough

    account = settings.of(ResendSettings)
    resend = Resend(account.api_key or "", SystemClock(), account.api_url, timeout_seconds=_TIMEOUT_SECONDS)
    domains = resend.domains()
    if domains is None:
        return ok("Resend knows the key, which may send and nothing else")
    sender = parseaddr(settings.notification_from_email)[1].rpartition("@")[2]
    state = domains.get(sender, "not a domain of this account")
    if state != _VERIFIED:
        hint = f"verify {sender} in Resend's dashboard, or correct NOTIFICATION_FROM_EMAIL"
        return failure(f"Resend knows the key, but {sender} is {state}", hint)
    return ok(f"Resend knows the key, and {sender} is verified")


def _postmark(settings: Settings) -> Verdict:
    account = settings.of(PostmarkSettings)
    Postmark(account.server_token or "", account.api_url, _TIMEOUT_SECONDS).log_in()
    return ok("Postmark knows the token")


def _smtp(settings: Settings) -> Verdict:
    Smtp(settings.of(SmtpSettings).url or "", SystemClock(), _TIMEOUT_SECONDS).log_in()
    return ok("the mail server lets us in")


_LOGINS = {
    "resend": ("RESEND_API_KEY", _resend),
    "postmark": ("POSTMARK_SERVER_TOKEN", _postmark),
    "smtp": ("SMTP_URL", _smtp),
}


def _dry_run(case: InspectedSettings) -> Verdict:
    settings, now = case.settings, SystemClock().now()
    links = UnsubscribeLinks(settings.base_url, "signs a letter that nobody gets")
    render = Renderer(settings.notification_from_email, links, settings.enrol_url, settings.timezone).render
    key = SectionKey("dry-run", "2261", "12431")
    notification = Notification(
        1, 1, "ada@example.edu", NotificationKind.SEAT_AVAILABLE, key, 1, now, 1, 30, None
    )
    written = to_mime(render(notification, now), now).as_bytes()
    return ok(f"a letter of {len(written)} bytes can be written")


_OURS = ("NOTIFICATION_FROM_EMAIL", "ENROL_URL", "PUBLIC_URL", "HOST", "PORT")
_THEIRS = (
    "MAIL_TRANSPORT",
    "RESEND_API_KEY",
    "RESEND_API_URL",
    "POSTMARK_SERVER_TOKEN",
    "POSTMARK_API_URL",
    "SMTP_URL",
    "NOTIFICATION_FROM_EMAIL",
)
CHECKS = (
    Check(
        "mail.login", _login, "make the provider reachable from here", tuple(f"settings.{x}" for x in _THEIRS)
    ),
    Check(
        "mail.dry-run",
        _dry_run,
        "correct NOTIFICATION_FROM_EMAIL or ENROL_URL",
        tuple(f"settings.{name}" for name in _OURS),
    ),
)
