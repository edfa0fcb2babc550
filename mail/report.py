"""The letter that brings a report."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr

from domain.notification import Attachment, OutboundMessage
from domain.text import one_line

_INK, _SOFT, _MARK = "#14201b", "#55635d", "#0b6b4f"


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """Writes from `sender`; the same report makes the same letter, so that a retry carries the same bytes."""

    sender: str

    def write(
        self, to: str, term: str, sections: Sequence[str], pdf: bytes, identity: str
    ) -> OutboundMessage:
        """The letter to `to` with `pdf`; `identity` names the report for ever."""
        lines = (
            f"Here is the seat history you ordered, for term {term}: {_counted(sections)}.",
            "It is attached as a PDF. Keep it: Rollcall does not keep it for long.",
            "If anything about it is not as it should be, answer this mail.",
        )
        domain = parseaddr(self.sender)[1].rpartition("@")[2]
        return OutboundMessage(
            sender=self.sender,
            to=to,
            subject=one_line(f"Your seat history for term {term}"),
            text="\n\n".join(lines) + "\n\n-- \nRollcall\n",
            html=_html(lines),
            headers={
                "Message-ID": f"<{hashlib.sha256(identity.encode()).hexdigest()[:32]}@{domain}>",
                "X-Rollcall-Report": identity,
            },
            attachments=(Attachment(f"seat-history-{term}.pdf", "application/pdf", pdf),),
        )


def _counted(sections: Sequence[str]) -> str:
    return f"section {sections[0]}" if len(sections) == 1 else f"sections {', '.join(sections)}"


def _html(lines: Sequence[str]) -> str:
    first, *others = (html.escape(line) for line in lines)
    told = "".join(f'<p style="margin:0 0 14px; color:{_SOFT};">{line}</p>' for line in others)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Your seat history</title></head>'
        '<body style="margin:0; padding:32px 16px; background-color:#eef1f2;">'
        '<div style="max-width:488px; margin:0 auto; padding:28px 36px; background-color:#ffffff;'
        " border:1px solid #dde3e6; border-radius:14px; font-family:-apple-system,BlinkMacSystemFont,"
        "'Segoe UI',Roboto,Helvetica,Arial,sans-serif; font-size:16px; line-height:25px;\">"
        f'<p style="margin:0 0 18px; font-size:13px; font-weight:700; letter-spacing:0.08em; color:{_MARK};">'
        f'ROLLCALL</p><p style="margin:0 0 14px; color:{_INK};">{first}</p>{told}</div></body></html>'
    )
