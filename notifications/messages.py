"""Renders notifications and reports as messages (subject, text, HTML, headers) and as MIME bytes.

The MIME form is what SMTP sends and what .eml files hold.
"""

from __future__ import annotations

import functools
import hashlib
import html
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from domain.errors import InvalidInputError
from domain.notification import Attachment, Notification, OutboundMessage
from domain.section import SectionKey
from domain.text import one_line
from domain.watch import NotificationKind
from notifications.content import content_for
from notifications.unsubscribe_links import UnsubscribeLinks

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_SAMPLE = SectionKey("scraper", "2261", "12431")
_WIDTH = 72
_UNSAFE = re.compile(r"[^\w.-]+")  # in the name of a file
_LABEL_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders notifications; the outbox stores the result, so that a retry sends the same bytes.

    Shape: `sender` is an address with or without a name; `enrol_url` is the http(s) URL for enrolment with
    the placeholders `{source}`, `{term}` and `{section}`, or None; `zone` is the time zone of messages.
    `enrol_urls` and `zones` apply instead to the sections of a source, by its name.

    Raises: InvalidInputError if the sender has no domain or `enrol_url` does not make a URL.
    """

    sender: str
    links: UnsubscribeLinks
    enrol_url: str | None = None
    zone: tzinfo = UTC
    enrol_urls: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, tzinfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = {}
        if "@" not in parseaddr(self.sender)[1].strip("@") or one_line(self.sender) != self.sender:
            problems["sender"] = "must be a mail address, such as Rollcall <rollcall@example.edu>"
        if self.enrol_url is not None and not _is_web_address(_enrol_at(self.enrol_url, _SAMPLE)):
            problems["enrol_url"] = "must start with http(s):// and use only {source}, {term} and {section}"
        if problems:
            raise InvalidInputError(problems)

    def render(self, notification: Notification, now: datetime) -> OutboundMessage:
        """The message for `notification` at `now`, with the headers that `OutboundMessage` documents."""
        key = notification.key
        content = content_for(notification, now, self.zones.get(key.source, self.zone))
        enrol_url = self.enrol_urls.get(key.source, self.enrol_url)
        values = {
            "content": content,
            "section": one_line(key.number),
            "term": one_line(key.term),
            "enrol_url": enrol_url and _enrol_at(enrol_url, key),
            "stop_watch": self.links.stop_watch(notification.watch_id, notification.email),
            "stop_everything": self.links.stop_everything(notification.email),
        }
        return OutboundMessage(
            sender=self.sender,
            to=notification.email,
            subject=content.subject,
            text=_environment().get_template("notification.txt.j2").render(values),
            html=_environment().get_template("notification.html.j2").render(values),
            headers=self._headers(notification),
        )

    def _headers(self, notification: Notification) -> dict[str, str]:
        key = notification.key
        term, number = (quote(text, safe="") for text in (key.term, key.number))
        event = f"source={key.source}; term={term}; section={number}; episode={notification.episode}"
        return {
            "Message-ID": message_id(_identity(notification), self.sender),
            "List-Unsubscribe": f"<{self.links.stop_watch(notification.watch_id, notification.email)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "X-Rollcall-Event": f"{notification.kind}; {one_line(event)}",
        }


def _identity(notification: Notification) -> str:
    """Identifies the notification, also if the database restarts its ids at 1."""
    seen = notification.observed_at.timestamp()
    identity = f"{notification.id} {notification.email} {notification.kind} {notification.key} {seen}"
    return f"rollcall notice {identity}"


def message_id(identity: str, sender: str) -> str:
    """The `Message-ID` of the message with `identity`, in the domain of `sender`."""
    return f"<{_digest(identity)}@{parseaddr(sender)[1].rpartition('@')[2]}>"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _enrol_at(template: str, key: SectionKey) -> str:
    for name, value in (("source", key.source), ("term", key.term), ("section", key.number)):
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


def _is_web_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not set(url) & set('{}<>" \n\r\t')


@functools.cache
def _environment() -> Environment:
    from jinja2 import (  # noqa: PLC0415 - heavy
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrap"] = _wrap
    environment.filters["fact"] = _fact
    return environment


def _wrap(paragraph: str, indent: str = "") -> str:
    return textwrap.fill(
        paragraph, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _fact(row: tuple[str, str]) -> str:
    label, value = row
    return _wrap(f"{label + ':':{_LABEL_WIDTH}}{value}", " " * _LABEL_WIDTH)


_INK, _SOFT, _MARK = "#14201b", "#55635d", "#0b6b4f"


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """Renders report messages from `sender`; the same report gives the same message, so retries match."""

    sender: str

    def write(
        self, to: str, term: str, sections: Sequence[str], pdf: bytes, identity: str
    ) -> OutboundMessage:
        """The message to `to` with `pdf`; `identity` is the permanent identifier of the report."""
        lines = (
            f"Here is the seat history you ordered, for term {term}: {_counted(sections)}.",
            "It is attached as a PDF. Save it: Rollcall deletes its copy soon.",
            "If anything is wrong with it, reply to this mail.",
        )
        return OutboundMessage(
            sender=self.sender,
            to=to,
            subject=one_line(f"Your seat history for term {term}"),
            text="\n\n".join(lines) + "\n\n-- \nRollcall\n",
            html=_html(lines),
            headers={
                "Message-ID": message_id(identity, self.sender),
                "X-Rollcall-Report": identity,
            },
            attachments=(Attachment(f"seat-history-{_UNSAFE.sub('-', term)}.pdf", "application/pdf", pdf),),
        )


def _counted(sections: Sequence[str]) -> str:
    return f"section {sections[0]}" if len(sections) == 1 else f"sections {', '.join(sections)}"


def _html(lines: Sequence[str]) -> str:
    first, *others = (html.escape(line) for line in lines)
    rest = "".join(f'<p style="margin:0 0 14px; color:{_SOFT};">{line}</p>' for line in others)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Your seat history</title></head>'
        '<body style="margin:0; padding:32px 16px; background-color:#eef1f2;">'
        '<div style="max-width:488px; margin:0 auto; padding:28px 36px; background-color:#ffffff;'
        " border:1px solid #dde3e6; border-radius:14px; font-family:-apple-system,BlinkMacSystemFont,"
        "'Segoe UI',Roboto,Helvetica,Arial,sans-serif; font-size:16px; line-height:25px;\">"
        f'<p style="margin:0 0 18px; font-size:13px; font-weight:700; letter-spacing:0.08em; color:{_MARK};">'
        f'ROLLCALL</p><p style="margin:0 0 14px; color:{_INK};">{first}</p>{rest}</div></body></html>'
    )


_CRLF = "\r\n"
_UNFOLDED = SMTP.clone(max_line_length=None)
_MACHINE_READABLE = ("list-", "x-", "message-id")


class _Policy(EmailPolicy):
    """Folds human-readable headers (subject, names), never our machine-readable ones.

    Some receivers match `List-Unsubscribe` line by line and drop a folded one. The subject is encoded by
    `email.header`: the policy's own encoder moves spaces where it cuts a text outside ASCII.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() == "subject":
            return f"{name}: {Header(str(value), header_name=name).encode(linesep=_CRLF)}{_CRLF}".encode()
        policy = _UNFOLDED if name.lower().startswith(_MACHINE_READABLE) else SMTP
        return policy.fold_binary(name, value)


_POLICY = _Policy(linesep=_CRLF)


def dry_run(renderer: Renderer, now: datetime) -> int:
    """Render a message that is never sent; return its size in bytes. Raises: any error of rendering."""
    seat, key = NotificationKind.SEAT_AVAILABLE, SectionKey("dry-run", "2261", "12431")
    notification = Notification(1, 1, "ada@example.edu", seat, key, 1, now, 1, 30, None)
    return len(to_mime(renderer.render(notification, now), now).as_bytes())


def to_mime(message: OutboundMessage, date: datetime) -> EmailMessage:
    """`message` as MIME, dated `date`: text, HTML, attachments; equal arguments give equal bytes."""
    mime = EmailMessage(policy=_POLICY)
    mime["From"], mime["To"], mime["Subject"] = message.sender, message.to, message.subject
    mime["Date"] = format_datetime(date)
    for name, value in message.headers.items():
        mime[name] = value
    mime.set_content(message.text, cte="quoted-printable")
    mime.add_alternative(message.html, subtype="html", cte="quoted-printable")
    for each in message.attachments:
        kind, _, subtype = each.content_type.partition("/")
        mime.add_attachment(each.content, maintype=kind, subtype=subtype, filename=each.name)
    multiparts = (part for part in mime.walk() if part.is_multipart())
    for depth, part in enumerate(multiparts):
        part.set_boundary(_boundary(message, depth))
    return mime


def _boundary(message: OutboundMessage, depth: int) -> str:
    return f"=_{_digest(message.headers['Message-ID'] + '+' * depth)}"
