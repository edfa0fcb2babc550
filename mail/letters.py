"""Notices made into letters: subject, text, HTML and headers."""

from __future__ import annotations

import functools
import hashlib
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from domain.errors import InvalidInputError
from domain.notification import Notification, OutboundMessage
from domain.section import SectionKey
from domain.text import one_line
from mail.links import UnsubscribeLinks
from mail.wording import content_for

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_SAMPLE = SectionKey("scraper", "2261", "12431")
_WIDTH = 72
_LABEL_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders notices; the outbox freezes what it makes, so that a retry carries the same bytes.

    Shape: `sender` is an address with or without a name; `enrol_url` is where people enrol, http(s), with
    the placeholders `{source}`, `{term}` and `{section}`, or None when no such address is known; `zone` is
    that of the times in every letter.

    Raises: InvalidInputError when the sender has no domain or `enrol_url` does not make an address.
    """

    sender: str
    links: UnsubscribeLinks
    enrol_url: str | None = None
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        problems = {}
        if "@" not in parseaddr(self.sender)[1].strip("@") or one_line(self.sender) != self.sender:
            problems["sender"] = "must be a mail address, such as Rollcall <rollcall@example.edu>"
        if self.enrol_url is not None and not _is_web_address(_enrol_at(self.enrol_url, _SAMPLE)):
            problems["enrol_url"] = "must start with http(s):// and use only {source}, {term} and {section}"
        if problems:
            raise InvalidInputError(problems)

    def render(self, notice: Notification, now: datetime) -> OutboundMessage:
        """The letter that tells `notice`, written `now`, with the headers that `OutboundMessage` promises."""
        wording = content_for(notice, now, self.zone)
        facts = {
            "wording": wording,
            "section": one_line(notice.key.number),
            "term": one_line(notice.key.term),
            "enrol_url": self.enrol_url and _enrol_at(self.enrol_url, notice.key),
            "stop_watch": self.links.stop_watch(notice.watch_id, notice.email),
            "stop_everything": self.links.stop_everything(notice.email),
        }
        return OutboundMessage(
            sender=self.sender,
            to=notice.email,
            subject=wording.subject,
            text=_environment().get_template("letter.txt.j2").render(facts),
            html=_environment().get_template("letter.html.j2").render(facts),
            headers=self._headers(notice),
        )

    def _headers(self, notice: Notification) -> dict[str, str]:
        key = notice.key
        event = f"source={key.source}; term={key.term}; section={key.number}; episode={notice.episode}"
        return {
            "Message-ID": f"<{_identity(notice)}@{parseaddr(self.sender)[1].rpartition('@')[2]}>",
            "List-Unsubscribe": f"<{self.links.stop_watch(notice.watch_id, notice.email)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "X-Rollcall-Event": f"{notice.kind}; {one_line(event)}",
        }


def _identity(notice: Notification) -> str:
    """A name for the notice that stays its own even if the database starts again from id 1."""
    seen = notice.observed_at.timestamp()
    told = f"rollcall notice {notice.id} {notice.email} {notice.kind} {notice.key} {seen}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _enrol_at(template: str, key: SectionKey) -> str:
    for field, value in (("source", key.source), ("term", key.term), ("section", key.number)):
        template = template.replace(f"{{{field}}}", quote(value, safe=""))
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
