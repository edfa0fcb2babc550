"""Follow one open section of a polled catalog to a mail, and measure each stage: a fire drill.

Nothing is recorded about the section, and no watcher is notified.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar
from uuid import uuid4

from msgspec import Struct

from catalogs.reader import CatalogReader
from domain.address import checked_address
from domain.catalog import PartialAnswerError, fault_of
from domain.errors import InvalidInputError, RejectedError, RollcallError
from domain.notification import Accepted, Notification, OutboundMessage
from domain.observation import Observation
from domain.watch import NotificationKind
from operations.context import AdminContext
from operations.inputs import SourceName, Term
from operations.operation import Operation, OperationResult, Option, Plan, PlanField
from store.audit import AuditEntry
from store.catalogs.drills import Drill

T = TypeVar("T")
_NO_ID = 0


class DrillInput(Struct, frozen=True):
    """The catalog, and where the mail of the drill goes; without an address it is only written."""

    source: SourceName
    to: Annotated[str, Option("The address of the test mail; without it nothing is sent.")] = ""
    term: Annotated[
        Term | None, Option("The term; by default the one in use, or the first that is open.")
    ] = None


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


def _plan(_: AdminContext, given: DrillInput) -> Plan:
    effects = (
        f"A few requests go to {given.source}: its terms, and one query of one term.",
        "The first open section in it becomes a test mail.",
        "Nothing is recorded about the section, and no watcher is notified.",
    )
    questions = (PlanField("to", "To (empty: nothing is sent)", given.to),)
    return Plan(f"Follow a section of {given.source} to a mail?", "Start the drill", effects, questions)


def _drill(context: AdminContext, given: DrillInput, entry: AuditEntry) -> OperationResult[Drill]:
    """Raises: InvalidInputError for a bad address or term. Any other failure is the result of the drill."""
    services = context.services
    to = checked_address("to", given.to) if given.to else ""
    stages, drill = _Stages(), Drill(given.source, entry.at, {})
    try:
        seen = _find(context, given, stages)
        drill = replace(drill, term=seen.key.term, section=seen.key.number)
        message = stages.run("write", lambda: _message(context, seen, to or "drill@example.edu"))
        if to:
            stages.run("send", lambda: _send(context, message))
    except InvalidInputError:
        raise
    except RollcallError as error:
        drill = replace(drill, fault=fault_of(error), error=services.describe(error))
    drill = replace(drill, seconds=stages.seconds)
    services.store.drills.record(drill, entry)
    return OperationResult(_sentence(drill, to), drill, [_row(drill)], is_success=drill.error is None)


def _find(context: AdminContext, given: DrillInput, stages: _Stages) -> Observation:
    """Return the first open section of the first answer, or its first section if none is open.

    Raises: PartialAnswerError if there is none.
    """
    services = context.services
    reader = CatalogReader(services.catalogs[given.source], services.clock)
    terms = stages.run("terms", reader.terms)
    wanted = given.term or services.store.catalog_terms.current(given.source)
    term = reader.term(terms, wanted)
    sections = stages.run("fetch", lambda: reader.sample(term.code)).sections
    if not sections:
        raise PartialAnswerError(f"{given.source} shows no section of {term.code}")
    return next((seen for seen in sections if seen.open_seats), sections[0])


def _message(context: AdminContext, seen: Observation, to: str) -> OutboundMessage:
    notification = Notification(
        _NO_ID, _NO_ID, to, NotificationKind.SEAT_AVAILABLE, seen.key, 1, seen.observed_at, seen.open_seats,
        seen.capacity, seen.instructor, seen.details, status=seen.status, is_counted=seen.is_counted,
        unreserved_seats=seen.unreserved_seats, waitlist_places=seen.waitlist_places,
        waitlist_length=seen.waitlist_length, as_of=seen.as_of,
    )  # fmt: skip
    message = context.services.render(notification, context.services.clock.now())
    return replace(message, subject=f"Drill: {message.subject}")


def _send(context: AdminContext, message: OutboundMessage) -> None:
    (result,) = context.services.mailer.send([message], f"rollcall-drill-{uuid4().hex}")
    if not isinstance(result, Accepted):
        raise RejectedError(f"{context.services.mailer.name} rejected the message: {result.reason}")


def _sentence(drill: Drill, to: str) -> str:
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in drill.seconds.items()) or "no stage"
    if drill.error is not None:
        return f"The drill of {drill.source} failed after {stages}: {drill.error.rstrip('.')}."
    sent = f"sent to {to}" if to else "written and not sent"
    return f"Section {drill.section} of {drill.source} in {drill.term} was {sent}: {stages}."


def _row(drill: Drill) -> dict[str, object]:
    return {
        "source": drill.source,
        "at": drill.at,
        "term": drill.term,
        "section": drill.section,
        "seconds": dict(drill.seconds),
        "fault": drill.fault,
        "error": drill.error,
    }


DRILL = Operation(
    "catalog.drill",
    "Follow an open section of SOURCE to a test mail, and measure each stage.",
    DrillInput,
    lambda given: f"source/{given.source}",
    _plan,
    _drill,
    choices=lambda context: {"source": tuple(context.services.catalogs)},
)
