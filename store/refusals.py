"""Why an address receives no mail: an opt-out, or a suppression reported by the provider.

Every entry point and every sender checks here. `mail lift` ends a suppression, never an opt-out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, literal, or_, select, union_all

from domain.section import SectionKey
from store.database import chunks
from store.schema import opt_outs, sections, suppressions

UNSUBSCRIBED = "unsubscribed"
"""End reason of a watch that its person stopped; of a course watch, also why the person has no other one."""
ALL_MAIL = "the person stopped all mail; only they can allow it again, with a link in any of their mails"
ONE_SECTION = (
    "the person stopped mail about this section; only they can allow it again, with a link in that mail"
)
ONE_COURSE = (
    "the person stopped mail about this course; only they can allow it again, with a link in that mail"
)
OPTED_OUT = "the person stopped this mail"
"""Withdrawal reason of a notification whose person opted out."""


_columns = opt_outs.c


@dataclass(slots=True)
class Refusals:
    """Why addresses receive no mail: all mail by address, one section by address and section."""

    all_mail: dict[str, str] = field(default_factory=dict)
    sections: dict[tuple[str, SectionKey], str] = field(default_factory=dict)

    def of(self, email: str, key: SectionKey) -> str | None:
        """Why `email` receives no mail about `key`, or None."""
        return self.all_mail.get(email) or self.sections.get((email, key))


def find_refusals(connection: Connection, emails: Collection[str]) -> Refusals:
    """The refusals of `emails`; an opt-out takes precedence over a suppression."""
    found = Refusals()
    for chunk in chunks(sorted(emails)):
        held = select(suppressions.c.email, suppressions.c.reason).where(suppressions.c.email.in_(chunk))
        found.all_mail |= {row.email: row.reason for row in connection.execute(held)}
        of_section = (sections.c.source, sections.c.term, sections.c.number)
        query = select(_columns.email, *of_section).select_from(opt_outs.outerjoin(sections))
        for email, source, term, number in connection.execute(query.where(_columns.email.in_(chunk))):
            if source is None:
                found.all_mail[email] = ALL_MAIL
            else:
                found.sections[email, SectionKey(source, term, number)] = ONE_SECTION
    return found


def is_refused(email: ColumnElement[Any], section_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a row of `opt_outs` refuses mail to `email` about a section."""
    return (_columns.email == email) & or_(_columns.section_id.is_(None), _columns.section_id == section_id)


def opted_out(email: ColumnElement[Any], section_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that the person of `email` has stopped mail about a section."""
    return exists().where(is_refused(email, section_id))


def refusals_of_all_mail() -> Any:
    """One row per address that receives no mail: `email`, `reason`, `created_at_ms`, `is_own`."""
    stopped = opt_outs.alias()
    of_all = stopped.c.section_id.is_(None)
    own = select(
        stopped.c.email,
        literal(ALL_MAIL).label("reason"),
        stopped.c.created_at_ms,
        literal(True).label("is_own"),
    ).where(of_all)
    held = select(
        suppressions.c.email, suppressions.c.reason, suppressions.c.created_at_ms, literal(False)
    ).where(~exists().where(stopped.c.email == suppressions.c.email, of_all))
    return union_all(own, held).subquery()
