"""Alert notifications as mail to the operator: the problem first, then the command to run."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr

from domain.address import normal_address
from domain.alert import AlertNotification, AlertState, RunbookLink
from domain.errors import RejectedError, TransientError
from domain.notification import MAIL, Deferred, OutboundMessage, Rejected
from domain.plugin import ChannelPorts, Plugin
from domain.ports import Mailer
from domain.setting import SettingsGroup, SettingType, setting

_MINUTE = "%Y-%m-%d %H:%M UTC"


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
    """Mails each alert notification to `to` through `mailer`; `signpost` gives an alert's links.

    The idempotency key derives from the message, and the same notification gives the same message. A retry
    therefore sends no second mail if the transport honours keys; a new address or sender is a new message.
    """

    mailer: Mailer
    sender: str
    to: str
    signpost: Callable[[str], RunbookLink]

    def tell(self, notification: AlertNotification) -> None:
        """Send the alert notification. Raises: TransientError, PermanentError, as the transport does."""
        message = self.message(notification)
        (receipt,) = self.mailer.send([message], f"rollcall-alert-{_digest(message)}")
        if isinstance(receipt, Rejected):
            raise RejectedError(receipt.reason)
        if isinstance(receipt, Deferred):
            raise TransientError(receipt.reason, retry_after_seconds=receipt.retry_after_seconds)

    def message(self, notification: AlertNotification) -> OutboundMessage:
        """The message for `bulletin`, without the watch headers of `OutboundMessage`."""
        alert, text, links = notification.alert, _text(notification), self._links(notification)
        identity = f"{alert.name} {alert.state} {alert.episode} {notification.at.isoformat()}"
        domain = parseaddr(self.sender)[1].rpartition("@")[2]
        return OutboundMessage(
            sender=self.sender,
            to=self.to,
            subject=subject(notification),
            text=text + "".join(f"{name}: {url}\n" for name, url in links),
            html=f"<pre>{html.escape(text)}{''.join(_anchor(*link) for link in links)}</pre>",
            headers={
                "Message-ID": f"<{hashlib.sha256(identity.encode()).hexdigest()[:32]}@{domain}>",
                "Auto-Submitted": "auto-generated",
                "X-Rollcall-Alert": f"{alert.name}; {alert.state}; episode={alert.episode}",
            },
        )

    def _links(self, notification: AlertNotification) -> list[tuple[str, str]]:
        post = self.signpost(notification.alert.name)
        return [("Console", post.console), ("Runbook", post.runbook)]


def _text(notification: AlertNotification) -> str:
    alert = notification.alert
    lines = [alert.subject, "", f"Since:    {alert.since.strftime(_MINUTE)}"]
    if alert.state is AlertState.CLEARED:
        lines += [f"Over:     {notification.at.strftime(_MINUTE)}", "", "Nothing needs to be done."]
    else:
        lines += [f"Raised:   {notification.at.strftime(_MINUTE)}", "", alert.detail, "", "First look:"]
        lines += [f"    {alert.command}"]
    return "\n".join([*lines, "", ""])


def _anchor(name: str, url: str) -> str:
    escaped = html.escape(url)
    return f'{name}: <a href="{escaped}">{escaped}</a>\n'


def subject(notification: AlertNotification) -> str:
    """The subject line for `bulletin`."""
    is_over = notification.alert.state is AlertState.CLEARED
    return f"Over: {notification.alert.subject}" if is_over else notification.alert.subject


def _digest(message: OutboundMessage) -> str:
    parts = (message.headers["Message-ID"], message.sender, message.to, message.subject, message.text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _build(settings: OperatorMailSettings, ports: ChannelPorts) -> Callable[[AlertNotification], None]:
    return OperatorMail(ports.mailer, ports.sender, settings.email or "", ports.links).tell


PLUGIN = Plugin(MAIL, OperatorMailSettings, _build, key="OPERATOR_EMAIL")
