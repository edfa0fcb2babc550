"""Follows one section of a polled catalog to a mail, and measures each stage: a fire drill.

Nothing is recorded about the section, and no watcher is notified.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from actors.deliver import send_test
from actors.registry import actor
from actors.services import Services
from domain.catalog import CatalogFault, PartialAnswerError, fault_of
from domain.errors import InvalidInputError, RollcallError
from domain.notification import Notification, OutboundMessage
from domain.observation import Observation
from domain.watch import NotificationKind
from store.audit import AuditEntry
from store.catalogs.drills import Drill

if TYPE_CHECKING:
    from catalogs.reader import CatalogReader

T = TypeVar("T")
DRILL_EVERY: Final = timedelta(days=1)
_EARLY: Final = timedelta(hours=4)  # one by hand in these hours before replaces the daily one
_LIMIT_MS: Final = 2 * 3_600_000
_NO_ID = 0
_NO_ADDRESS = "drill@example.edu"
_log = logging.getLogger(__name__)


# In a queue of its own, one after the other: a slow host delays no poll, and takes one thread of a worker.
@actor(name="catalogs.drill", queue="drill", time_limit=_LIMIT_MS)
def drill(services: Services) -> None:
    """Follow a section of each catalog whose drill is due until its mail is written."""
    for source in due_drills(services):
        if source in due_drills(services):  # another worker may have done it meanwhile
            run_drill(services, source)


def due_drills(services: Services) -> list[str]:
    """The polled catalogs that are not paused and had no drill for a day."""
    drills, pauses = services.store.drills.all(), services.store.pauses.all()
    now = services.clock.now()
    return [
        name
        for name in services.catalogs
        if name not in drills or now - drills[name].at >= DRILL_EVERY - _EARLY
        if name not in pauses
    ]


def publish_due_drills(services: Services) -> None:
    """Publish a message if a drill is due; the scheduler calls it once a day."""
    if services.catalogs and due_drills(services):
        services.publish(drill.message())


def run_drill(
    services: Services, source: str, *, to: str = "", term: str | None = None, entry: AuditEntry | None = None
) -> Drill:
    """Follow a section of `source` to a mail `to` an address, or until it is written; record the result.

    The term is the given one, that in use, or the first that is open. A failure is the result of the drill.
    Raises: InvalidInputError for a term that the catalog does not list.
    """
    stages, result = _Stages(), Drill(source, services.clock.now(), {})
    try:
        seen = _find(services, source, term, stages)
        result = replace(result, term=seen.key.term, section=seen.key.number)
        message = stages.run("write", lambda: _message(services, seen, to or _NO_ADDRESS))
        if to:
            stages.run("send", lambda: send_test(services, message))
    except RollcallError as error:
        if isinstance(error, InvalidInputError) and term is not None:
            raise
        result = replace(result, fault=fault_of(error), error=services.describe(error))
    except Exception as error:  # noqa: BLE001 - a fault of the answer to our code, logged
        _log.exception("a family failed", extra={"source": source})
        result = replace(result, fault=CatalogFault.SCHEMA, error=services.describe(error))
    result = replace(result, seconds=stages.seconds)
    services.store.drills.record(result, entry)
    return result


class _Stages:
    """The stages that were passed, with their durations in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do `work` as the stage `name`."""
        started = time.monotonic()
        result = work()
        self.seconds[name] = round(time.monotonic() - started, 3)
        return result


def _reader(services: Services, source: str) -> CatalogReader:
    from catalogs.reader import CatalogReader  # noqa: PLC0415 - only a drill needs families

    return CatalogReader(services.catalogs[source], services.clock)


def _find(services: Services, source: str, wanted: str | None, stages: _Stages) -> Observation:
    """Return the first open section of the first answer, or its first section if none is open.

    Raises: PartialAnswerError if there is none.
    """
    reader = _reader(services, source)
    terms = stages.run("terms", reader.terms)
    term = reader.term(terms, wanted or services.store.catalog_terms.current(source))
    sections = stages.run("fetch", lambda: reader.sample(term.code)).sections
    if not sections:
        raise PartialAnswerError(f"{source} shows no section of {term.code}")
    return next((seen for seen in sections if seen.open_seats), sections[0])


def _message(services: Services, seen: Observation, to: str) -> OutboundMessage:
    notification = Notification(
        _NO_ID, _NO_ID, to, NotificationKind.SEAT_AVAILABLE, seen.key, 1, seen.observed_at, seen.open_seats,
        seen.capacity, seen.instructor, seen.details, status=seen.status, is_counted=seen.is_counted,
        unreserved_seats=seen.unreserved_seats, waitlist_places=seen.waitlist_places,
        waitlist_length=seen.waitlist_length, as_of=seen.as_of,
    )  # fmt: skip
    message = services.render(notification, services.clock.now())
    return replace(message, subject=f"Drill: {message.subject}")
