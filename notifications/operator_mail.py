"""Alert notifications as mail to the operator: the problem first, then the command to run."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr

from domain.alert import AlertNotification, AlertState, RunbookLink
from domain.errors import RejectedError, TransientError
from domain.notification import Deferred, OutboundMessage, Rejected
from domain.ports import Mailer

_MINUTE = "%Y-%m-%d %H:%M UTC"


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

    def tell(self, bulletin: AlertNotification) -> None:
        """Send the alert notification. Raises: TransientError, PermanentError, as the transport does."""
        letter = self.letter(bulletin)
        (receipt,) = self.mailer.send([letter], f"rollcall-alert-{_digest(letter)}")
        if isinstance(receipt, Rejected):
            raise RejectedError(receipt.reason)
        if isinstance(receipt, Deferred):
            raise TransientError(receipt.reason, retry_after_seconds=receipt.retry_after_seconds)

    def letter(self, bulletin: AlertNotification) -> OutboundMessage:
        """The message for `bulletin`, without the watch headers of `OutboundMessage`."""
        alert, text, links = bulletin.alert, _text(bulletin), self._links(bulletin)
        identity = f"{alert.name} {alert.state} {alert.episode} {bulletin.at.isoformat()}"
        domain = parseaddr(self.sender)[1].rpartition("@")[2]
        return OutboundMessage(
            sender=self.sender,
            to=self.to,
            subject=subject(bulletin),
            text=text + "".join(f"{name}: {url}\n" for name, url in links),
            html=f"<pre>{html.escape(text)}{''.join(_anchor(*link) for link in links)}</pre>",
            headers={
                "Message-ID": f"<{hashlib.sha256(identity.encode()).hexdigest()[:32]}@{domain}>",
                "Auto-Submitted": "auto-generated",
                "X-Rollcall-Alert": f"{alert.name}; {alert.state}; episode={alert.episode}",
            },
        )

    def _links(self, bulletin: AlertNotification) -> list[tuple[str, str]]:
        post = self.signpost(bulletin.alert.name)
        return [("Console", post.console), ("Runbook", post.runbook)]


def _text(bulletin: AlertNotification) -> str:
    alert = bulletin.alert
    lines = [alert.subject, "", f"Since:    {alert.since.strftime(_MINUTE)}"]
    if alert.state is AlertState.CLEARED:
        lines += [f"Over:     {bulletin.at.strftime(_MINUTE)}", "", "Nothing needs to be done."]
    else:
        lines += [f"Raised:   {bulletin.at.strftime(_MINUTE)}", "", alert.detail, "", "First look:"]
        lines += [f"    {alert.command}"]
    return "\n".join([*lines, "", ""])


def _anchor(name: str, url: str) -> str:
    escaped = html.escape(url)
    return f'{name}: <a href="{escaped}">{escaped}</a>\n'


def subject(bulletin: AlertNotification) -> str:
    """The subject line for `bulletin`."""
    is_over = bulletin.alert.state is AlertState.CLEARED
    return f"Over: {bulletin.alert.subject}" if is_over else bulletin.alert.subject


def _digest(letter: OutboundMessage) -> str:
    parts = (letter.headers["Message-ID"], letter.sender, letter.to, letter.subject, letter.text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
