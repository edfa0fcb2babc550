"""A letter as the bytes that travel by SMTP and rest in .eml files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime

from domain.notification import OutboundMessage

_CRLF = "\r\n"
_UNFOLDED = SMTP.clone(max_line_length=None)
_OURS = ("list-", "x-", "message-id")


class _Policy(EmailPolicy):
    """Folds what people wrote (subject, names), never our machine-read headers.

    Some receivers match `List-Unsubscribe` line by line and drop a folded one. The subject is encoded by
    `email.header`: the policy's own encoder moves spaces where it cuts a text outside ASCII.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() == "subject":
            return f"{name}: {Header(str(value), header_name=name).encode(linesep=_CRLF)}{_CRLF}".encode()
        policy = _UNFOLDED if name.lower().startswith(_OURS) else SMTP
        return policy.fold_binary(name, value)


_POLICY = _Policy(linesep=_CRLF)


def to_mime(letter: OutboundMessage, date: datetime) -> EmailMessage:
    """`letter` dated `date`, text before HTML before attachments; equal arguments give equal bytes."""
    mime = EmailMessage(policy=_POLICY)
    mime["From"], mime["To"], mime["Subject"] = letter.sender, letter.to, letter.subject
    mime["Date"] = format_datetime(date)
    for name, value in letter.headers.items():
        mime[name] = value
    mime.set_content(letter.text, cte="quoted-printable")
    mime.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    for each in letter.attachments:
        kind, _, subtype = each.content_type.partition("/")
        mime.add_attachment(each.content, maintype=kind, subtype=subtype, filename=each.name)
    multiparts = (part for part in mime.walk() if part.is_multipart())
    for depth, part in enumerate(multiparts):
        part.set_boundary(_boundary(letter, depth))
    return mime


def _boundary(letter: OutboundMessage, depth: int) -> str:
    told = letter.headers["Message-ID"] + "+" * depth
    return f"=_{hashlib.sha256(told.encode()).hexdigest()[:32]}"
