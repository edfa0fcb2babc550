"""Alert notifications as mail to the operator: the problem first, then the command to run."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass

from domain.address import normal_address
from domain.alert import AlertNotification, AlertState, RunbookLink
from domain.errors import RejectedError, TransientError
from domain.notification import MAIL, Deferred, OutboundMessage, Rejected
from domain.plugin import ChannelPorts, Plugin
from domain.ports import Mailer
from domain.setting import SettingsGroup, SettingType, setting
from domain.text import format_minute
from notifications.messages import message_id


def _mailbox(text: str) -> str:
    address = normal_address(text)
    if address is None:
        raise ValueError("must be an address, such as operator@example.edu")
    return address


@dataclass(frozen=True, kw_only=True)
class OperatorMailSettings(SettingsGroup):
    """Alerts by mail."""

    email: str | None = setting(
        "OPERATOR_EMAIL",
        SettingType("address", _mailbox),
        doc="receives alerts",
        example="operator@example.edu",
    )


@dataclass(frozen=True, slots=True)
class OperatorMail:
    """Mails each alert notification to `to` through `mailer`; `links` gives those of an alert by its name.

    The idempotency key derives from the message, and the same notification gives the same message. A retry
    therefore sends no second mail if the transport honours keys; a new address or sender is a new message.
    """

    mailer: Mailer
    sender: str
    to: str
    links: Callable[[str], RunbookLink]

    def send(self, notification: AlertNotification) -> None:
        """Send the alert notification. Raises: TransientError, PermanentError, as the transport does."""
        message = self.message(notification)
        (result,) = self.mailer.send([message], f"rollcall-alert-{_digest(message)}")
        if isinstance(result, Rejected):
            raise RejectedError(result.reason)
        if isinstance(result, Deferred):
            raise TransientError(result.reason, retry_after_seconds=result.retry_after_seconds)

    def message(self, notification: AlertNotification) -> OutboundMessage:
        """The message for `notification`, without the watch headers of `OutboundMessage`."""
        alert, text, links = notification.alert, _text(notification), self._links(notification)
        identity = f"{alert.name} {alert.state} {alert.episode} {notification.at.isoformat()}"
        return OutboundMessage(
            sender=self.sender,
            to=self.to,
            subject=subject(notification),
            text=text + "".join(f"{name}: {url}\n" for name, url in links),
            html=f"<pre>{html.escape(text)}{''.join(_anchor(*link) for link in links)}</pre>",
            headers={
                "Message-ID": message_id(identity, self.sender),
                "Auto-Submitted": "auto-generated",
                "X-Rollcall-Alert": f"{alert.name}; {alert.state}; episode={alert.episode}",
            },
        )

    def _links(self, notification: AlertNotification) -> list[tuple[str, str]]:
        links = self.links(notification.alert.name)
        return [("Console", links.console), ("Runbook", links.runbook)]


def _text(notification: AlertNotification) -> str:
    alert = notification.alert
    lines = [alert.subject, "", f"Since:    {format_minute(alert.since)}"]
    if alert.state is AlertState.CLEARED:
        lines += [f"Resolved: {format_minute(notification.at)}", "", "No action is needed."]
    else:
        lines += [f"Raised:   {format_minute(notification.at)}", "", alert.detail, "", "Run first:"]
        lines += [f"    {alert.command}"]
    return "\n".join([*lines, "", ""])


def _anchor(name: str, url: str) -> str:
    escaped = html.escape(url)
    return f'{name}: <a href="{escaped}">{escaped}</a>\n'


def subject(notification: AlertNotification) -> str:
    """The subject line for `notification`."""
    is_resolved = notification.alert.state is AlertState.CLEARED
    return f"Resolved: {notification.alert.subject}" if is_resolved else notification.alert.subject


def _digest(message: OutboundMessage) -> str:
    parts = (message.headers["Message-ID"], message.sender, message.to, message.subject, message.text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _build(settings: OperatorMailSettings, ports: ChannelPorts) -> Callable[[AlertNotification], None]:
    return OperatorMail(ports.mailer, ports.sender, settings.email or "", ports.links).send


PLUGIN = Plugin(MAIL, OperatorMailSettings, _build, key="OPERATOR_EMAIL")
