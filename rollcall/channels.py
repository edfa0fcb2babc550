"""The operator's notification channels, by the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.deliver import MAIL
from actors.services import OperatorChannels
from domain.alert import AlertNotification, RunbookLink
from domain.ports import Mailer
from notifications.operator_mail import OperatorMail
from observability.checks import runbook_link
from rollcall.settings import Settings

_WEBHOOK_SECONDS = 10.0


def operator_channels(settings: Settings, mailer: Mailer) -> OperatorChannels:
    """Return the channels for alerts, and the ping of finished runs."""
    about = partial(runbook_link, settings.base_url)
    channels: dict[str, Callable[[AlertNotification], None]] = {}
    if settings.operator_email is not None:
        sender = settings.notification_from_email
        channels[MAIL] = OperatorMail(mailer, sender, settings.operator_email, about).tell
    if settings.operator_webhook_url is not None:
        channels["webhook"] = _webhook(settings.operator_webhook_url, about)
    ping = None if settings.heartbeat_url is None else _ping(settings.heartbeat_url)
    return OperatorChannels(channels, ping, max(_WEBHOOK_SECONDS, mailer.longest_send_seconds))


def _webhook(url: str, about: Callable[[str], RunbookLink]) -> Callable[[AlertNotification], None]:
    from notifications.operator_webhook import Webhook  # noqa: PLC0415 - needs libcurl

    return Webhook(url, about, _WEBHOOK_SECONDS).tell


def _ping(url: str) -> Callable[[], None]:
    from notifications.operator_webhook import DeadMansSwitch  # noqa: PLC0415

    return DeadMansSwitch(url).ping
