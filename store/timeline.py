"""Timeline entries that the tables' own listings do not cover."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from domain.watch import NotificationKind
from store.database import Database, from_ms, from_ms_or_none, to_ms
from store.notifications.deliveries import StoredNotification, select_notifications, stored_notification
from store.runs.runs import run_of
from store.schema import mail_events, notifications, runs, section_history, sections
from store.sections.states import is_section

_LIMIT = 500


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A delivery report of the mail provider about a message, with its time."""

    at: datetime
    kind: str
    provider_id: str
    reason: str | None


class Timelines:
    """Reads the effects of watches; lists hold the newest 500."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def notifications(self, watch_ids: Collection[int]) -> list[StoredNotification]:
        """The notifications of these watches, newest first."""
        query = select_notifications().where(notifications.c.watch_id.in_(list(watch_ids)))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(notifications.c.id.desc()).limit(_LIMIT)).mappings()
            return [stored_notification(row) for row in found]

    def notified(self, watch_ids: Collection[int]) -> set[tuple[NotificationKind, datetime]]:
        """Kind and observation time of every notification of these watches."""
        columns = notifications.c
        query = select(columns.kind, columns.observed_at_ms).where(columns.watch_id.in_(list(watch_ids)))
        with self._database.read() as connection:
            return {
                (NotificationKind(kind), from_ms(at)) for kind, at in connection.execute(query.distinct())
            }

    def first_seen_at(self, key: SectionKey) -> datetime | None:
        """When the history of `key` begins; None if it was never observed."""
        columns = section_history.c
        query = select(columns.observed_at_ms).join(sections).where(is_section(key)).order_by(columns.id)
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(query.limit(1)).scalar())

    def reports(self, provider_ids: Collection[str]) -> list[DeliveryReport]:
        """The reports about these messages, in order of arrival."""
        columns = mail_events.c
        query = select(mail_events).where(columns.provider_id.in_(list(provider_ids)))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.received_at_ms)).mappings()
            return [
                DeliveryReport(from_ms(row["received_at_ms"]), row["kind"], row["provider_id"], row["reason"])
                for row in rows
            ]

    def incomplete(self, staggers: Collection[Stagger], since: datetime) -> list[Run]:
        """The runs since `since` that did not check every section, newest first."""
        columns = runs.c
        did_not_run = columns.state.in_([RunState.SKIPPED, RunState.FAILED])
        query = (
            select(runs)
            .where(columns.stagger.in_(list(staggers)), columns.created_at_ms >= to_ms(since))
            .where(or_(did_not_run, columns.failed > 0, columns.deferred > 0))
            .order_by(columns.number.desc())
            .limit(_LIMIT)
        )
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query).mappings()]
