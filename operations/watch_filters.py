"""Pause, resume, end and export all active watches that a filter matches."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from msgspec import Struct

from actors.services import Services
from domain.text import duration, format_time, plural
from operations.context import AdminContext, Surface
from operations.inputs import Email, SectionNumber, SourceName, Term
from operations.operation import NoInput, Operation, OperationResult, Option, Plan, PlanField
from operations.watches import END, NOT_SENT, PAUSE, PAUSE_LENGTHS, RESUME, PauseLength, active, end_reason
from store.audit import AuditEntry
from store.watches import WatchFilter

COLUMNS = ("email", "source", "term", "section", "kinds", "min_seats", "unreserved_only", "max_waitlist")
"""The columns of a CSV file of watches; kinds are separated by |."""


class WatchFilterInput(Struct, frozen=True, kw_only=True):
    """The filter; what is not given does not filter."""

    email: Annotated[Email | None, Option("Of this address.")] = None
    source: Annotated[SourceName | None, Option("Of sections of this catalog.")] = None
    term: Annotated[Term | None, Option("Of sections of this term.")] = None
    section: Annotated[SectionNumber | None, Option("Of the sections with this number.")] = None

    @property
    def filter(self) -> WatchFilter:
        """The combined filter."""
        return WatchFilter(self.email, self.source, self.term, self.section)

    @property
    def given(self) -> dict[str, str]:
        """The filter as form fields, including blank ones."""
        return {name: getattr(self, name) or "" for name in ("email", "source", "term", "section")}


class WatchesPauseInput(WatchFilterInput, frozen=True, kw_only=True):
    """The filter, and the length of the pause."""

    length: PauseLength = "7d"


def _plan_matching(
    context: AdminContext,
    given: WatchFilterInput,
    verb: str,
    effect: str,
    questions: tuple[PlanField, ...] = (),
    *,
    is_irreversible: bool = False,
) -> Plan:
    count, people = context.services.store.watches.count(given.filter)
    if not count:
        return Plan.nothing(f"{verb} watches?", "No active watch matches.")
    criteria = ", ".join(f"{name} {value}" for name, value in given.filter.criteria.items()) or "every watch"
    matches = plural(count, "active watch matches", "active watches match")
    extent = f"{matches} ({criteria}), of {plural(people, 'address', 'addresses')}."
    title = f"{verb} {plural(count, 'watch', 'watches')}?"
    return Plan(title, verb, (extent, effect), questions, is_irreversible=is_irreversible, count=count)


def _plan_pause(context: AdminContext, given: WatchesPauseInput) -> Plan:
    question = PlanField("length", "For", given.length, tuple(PAUSE_LENGTHS.items()))
    return _plan_matching(context, given, "Pause", NOT_SENT, (question,))


def _pause(context: AdminContext, given: WatchesPauseInput, entry: AuditEntry) -> OperationResult[int]:
    until = entry.at + duration(given.length)
    count = context.services.store.watches.pause_all(given.filter, until, entry)
    return _counted("Paused", count, f" until {format_time(until)}")


def _plan_resume(context: AdminContext, given: WatchFilterInput) -> Plan:
    return _plan_matching(context, given, "Resume", "The next change is sent to them.")


def _resume(context: AdminContext, given: WatchFilterInput, entry: AuditEntry) -> OperationResult[int]:
    return _counted("Resumed", context.services.store.watches.pause_all(given.filter, None, entry))


def _plan_end(context: AdminContext, given: WatchFilterInput) -> Plan:
    return _plan_matching(context, given, "Delete", "Their history stays.", is_irreversible=True)


def _end(context: AdminContext, given: WatchFilterInput, entry: AuditEntry) -> OperationResult[int]:
    watches = context.services.store.watches
    return _counted("Ended", watches.end_all(given.filter, end_reason(context), entry.at, entry))


def _counted(done: str, count: int, more: str = "") -> OperationResult[int]:
    return OperationResult(f"{done} {plural(count, 'watch', 'watches')}{more}.", count, count=count)


def _plan_export(context: AdminContext, _: NoInput) -> Plan:
    count, people = context.services.store.watches.count(WatchFilter())
    extent = f"{plural(count, 'active watch', 'active watches')} of {plural(people, 'address', 'addresses')}."
    return Plan("Export the watches?", "Export", (extent,), count=count)


def _export(context: AdminContext, _: NoInput, entry: AuditEntry) -> OperationResult[Iterator[str]]:
    context.record(entry)
    return OperationResult("Exported the active watches.", _lines(context.services))


def _lines(services: Services) -> Iterator[str]:
    """The active watches as CSV lines that the import accepts, the header first."""
    yield _line(COLUMNS)
    for stored in active(services):
        watch = stored.watch
        key = watch.key
        conditions = [str(watch.min_seats), "yes" if watch.unreserved_only else ""]
        conditions.append("" if watch.max_waitlist is None else str(watch.max_waitlist))
        yield _line([watch.email, key.source, key.term, key.number, "|".join(watch.kinds), *conditions])


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


_HTTP = frozenset({Surface.CONSOLE, Surface.API})
_subject: Callable[[Any], str] = lambda _: "watches"  # noqa: E731
_detail: Callable[[Any], dict[str, Any]] = lambda given: given.filter.criteria  # noqa: E731
PAUSE_MATCHING = Operation(
    "watches.pause",
    "Send nothing for the matching watches for a while.",
    WatchesPauseInput,
    _subject,
    _plan_pause,
    _pause,
    detail=lambda given: given.filter.criteria | {"seconds": duration(given.length).total_seconds()},
    action=PAUSE.name,
    surfaces=_HTTP,
)
RESUME_MATCHING = Operation(
    "watches.resume",
    "Send changes to the matching watches again.",
    WatchFilterInput,
    _subject,
    _plan_resume,
    _resume,
    detail=_detail,
    action=RESUME.name,
    surfaces=_HTTP,
)
END_MATCHING = Operation(
    "watches.end",
    "End the matching watches; their history stays.",
    WatchFilterInput,
    _subject,
    _plan_end,
    _end,
    detail=_detail,
    action=END.name,
    surfaces=_HTTP,
)
EXPORT = Operation(
    "watch.export",
    "Export the active watches as CSV that the import accepts.",
    NoInput,
    _subject,
    _plan_export,
    _export,
    surfaces=frozenset(),
)
