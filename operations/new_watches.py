"""Create watches: one, or those of a CSV file, whose valid lines are stored and whose others are reported."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from actors.services import Services
from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.section_state import SectionState
from domain.text import format_time, plural
from domain.watch import default_kinds
from operations.context import AdminContext
from operations.csv_reader import CsvReader, Record
from operations.initial_check import check_all, initial_check
from operations.inputs import Email, SectionNumber, SourceName, Term, Text, decode
from operations.operation import Operation, OperationResult, Option, Plan
from operations.section_lookup import require_listed, section_of_link
from operations.watch_filters import COLUMNS
from operations.watch_preferences import Preferences, require_stated, states_waitlist
from operations.watches import Listing, listing, next_check_at, seen_at, status
from store.audit import AuditEntry
from store.watch_import import WatchRequest
from store.watches import StoredWatch

_ORIGIN = "import"
_REQUIRED = ("email", "term", "section")
_BETWEEN_KINDS = re.compile(r"[|,;\s]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_NAMED = 5
_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})
_UNSEEN = {
    Listing.UNKNOWN: "Unknown section: its catalog does not list it",
    Listing.UNCHECKED: "The section is not checked yet",
    Listing.LISTED: "Its catalog lists the section",
}


class NewWatch(Preferences, frozen=True):
    """A watch: who is notified of what."""

    email: Email
    term: Term
    section: SectionNumber
    source: Annotated[SourceName | None, Option("The catalog; the first one by default.")] = None
    unlisted: Annotated[bool, Option("Also if its polled catalog does not list the section.")] = False

    def request(self, services: Services) -> WatchRequest:
        """Return the watch as the store takes it. Raises: InvalidInputError as `require_stated`."""
        source = self.source or services.source_names[0]
        require_stated(services, source, self)
        kinds = default_kinds(has_waitlist=states_waitlist(services, source))
        key = SectionKey(source, self.term, self.section)
        return WatchRequest(
            self.email,
            key,
            self.kinds,
            self.min_seats,
            self.unreserved_only,
            self.max_waitlist,
            default_kinds=kinds,
        )


class NewLinkWatch(Preferences, frozen=True):
    """A watch of the section that a link to its polled catalog shows."""

    email: Email
    link: Annotated[Text, Option(metavar="LINK")]
    term: Annotated[Term | None, Option("The term, if the link does not state it.")] = None
    source: Annotated[SourceName | None, Option("The catalog, if several read the link.")] = None
    unlisted: Annotated[bool, Option("Also if the catalog does not list the section.")] = False

    def watch(self, services: Services) -> NewWatch:
        """Return the same watch with its section. Raises: InvalidInputError as `section_of_link`."""
        key = section_of_link(services, self.link, self.source, self.term)
        return NewWatch(
            self.email,
            key.term,
            key.number,
            key.source,
            self.unlisted,
            kinds=self.kinds,
            min_seats=self.min_seats,
            unreserved_only=self.unreserved_only,
            max_waitlist=self.max_waitlist,
        )


@dataclass(frozen=True, slots=True)
class Added:
    """A watch as it is now, whether it is new, and how its section is listed."""

    stored: StoredWatch
    is_new: bool
    listing: Listing


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import; `rejected` holds each rejected line's number and reason, in order."""

    created: int
    existing: int
    rejected: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class WatchFile:
    """The watches of a file, each with its line number, and the errors of the other lines."""

    requests: list[tuple[int, WatchRequest]]
    rejected: list[tuple[int, str]]


def _content(given: object) -> bytes:
    content = given.encode() if isinstance(given, str) else given
    if not isinstance(content, bytes) or not content.strip():
        raise ValueError("must not be empty")
    return content


class ImportInput(Struct, frozen=True):
    """The CSV file: its content, as bytes or as text."""

    csv: Annotated[
        bytes,
        Meta(extra={"parse": _content}, extra_json_schema={"type": "string"}),
        Option(metavar="FILE"),
    ]


def _plan_add(context: AdminContext, given: NewWatch) -> Plan:
    key = _accepted(context.services, given).key
    state = context.services.store.sections.get(key) or SectionState(key)
    known = _describe(context, state)
    if seen_at(state) is None:
        known += " The first observation is a baseline; it is not sent."
    return Plan(f"Watch {key}?", "Add the watch", (f"{given.email} gets mail about its changes.", known))


def _add(context: AdminContext, given: NewWatch, entry: AuditEntry) -> OperationResult[Added]:
    services = context.services
    request = _accepted(services, given)
    entry = replace(entry, detail={"email": request.email, "section": str(request.key)})
    stored, is_new = services.store.watches.add(request, entry.at, entry)
    found = initial_check(services, stored)
    verb = "Added" if is_new else "Updated"
    message = f"{verb} watch {stored.id}. {_describe(context, stored.section, found)}"
    row = watch_row(stored, entry.at) | ({"status": found.value} if found is Listing.UNKNOWN else {})
    return OperationResult(message, Added(stored, is_new, found), [row], is_listed=True)


def _accepted(services: Services, given: NewWatch) -> WatchRequest:
    """Return the request. Raises: InvalidInputError as `NewWatch.request` and `require_listed`."""
    request = given.request(services)
    if not given.unlisted:
        require_listed(services, request.key)
    return request


def _describe(context: AdminContext, state: SectionState, found: Listing | None = None) -> str:
    """Describe the section's state, or when it is checked; `found` is the result of a check just made."""
    last_at, next_at = seen_at(state), next_check_at(context, state.key)
    if last_at is not None and not state.misses:
        count = state.open_seats
        are_open = "Seats are unknown" if count is None else plural(count, "seat is open", "seats are open")
        return f"{are_open}, as of {format_time(last_at)}."
    known = "Its catalog does not list the section" if last_at else _UNSEEN[found or listing(state)]
    return f"{known}; the next check is at {format_time(next_at)}." if next_at else f"{known}."


def watch_row(stored: StoredWatch, now: datetime) -> dict[str, object]:
    """Return a watch as the command line lists it."""
    wanted, section = stored.watch, stored.section
    return {
        "id": stored.id,
        "email": wanted.email,
        "section": str(wanted.key),
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "unreserved_only": wanted.unreserved_only,
        "max_waitlist": wanted.max_waitlist,
        "status": status(stored, now),
        "paused_until": stored.paused_until,
        "open_seats": section.open_seats,
        "capacity": section.capacity,
        "observed_at": seen_at(section),
    }


def read_csv(context: AdminContext, given: ImportInput) -> WatchFile:
    """Return the watches in a file; store nothing.

    Shape: the columns email, source, term, section and optionally kinds (separated by | or spaces),
    min_seats, unreserved_only (yes or no) and max_waitlist, in any order; source is required only where
    several are configured. An empty source is the first one; other empty cells count as not given.

    Raises: InvalidInputError for a file that is not readable as CSV (see `CsvReader`).
    """
    sources, found = context.services.source_names, WatchFile([], [])
    required = _REQUIRED if len(sources) == 1 else (*_REQUIRED, "source")
    for line, record in CsvReader(given.csv, COLUMNS, required):
        try:
            watch = decode(NewWatch, _members(record), {"source": sources})
            found.requests.append((line, watch.request(context.services)))
        except InvalidInputError as error:
            found.rejected.append((line, str(error)))
    return found


def _members(record: Record | InvalidInputError) -> Mapping[str, object]:
    """Return the record's values with their JSON types; empty optional cells are omitted."""
    if isinstance(record, InvalidInputError):
        raise record
    members: dict[str, object] = {name: cell for name, cell in record.items() if cell}
    if "kinds" in members:
        members["kinds"] = _BETWEEN_KINDS.split(record["kinds"])
    for name in ("min_seats", "max_waitlist"):
        if _NUMBER.fullmatch(record.get(name, "")):
            members[name] = int(record[name])
    if "unreserved_only" in members:
        members["unreserved_only"] = _yes_or_no(record["unreserved_only"])
    return members


def _yes_or_no(cell: str) -> bool:
    if cell.lower() not in _YES | _NO:
        raise InvalidInputError({"unreserved_only": "must be yes or no"})
    return cell.lower() in _YES


def _plan_import(context: AdminContext, given: ImportInput) -> Plan:
    found = read_csv(context, given)
    rejected = _first_errors(found.rejected)
    if not found.requests:
        return Plan("Import watches?", "", ("No line of the file is a watch.", *rejected), count=0)
    count = len(found.requests)
    extent = f"{plural(count, 'line is a watch', 'lines are watches')}."
    return Plan(f"Import {plural(count, 'watch', 'watches')}?", "Import", (extent, *rejected), count=count)


def _import(context: AdminContext, given: ImportInput, entry: AuditEntry) -> OperationResult[Imported]:
    """Store the valid lines in one transaction, with one audit entry; then check new sections."""
    found = read_csv(context, given)
    requests = [request for _, request in found.requests]
    results = context.services.store.watches.add_all(requests, entry.at, entry)
    created = {request.key for request, result in zip(requests, results, strict=True) if result is True}
    check_all(context.services, created, _ORIGIN)
    refused = _refused(found, results)
    imported = Imported(results.count(True), results.count(False), sorted([*found.rejected, *refused]))
    message = f"Added {plural(imported.created, 'watch', 'watches')} and updated {imported.existing}."
    return OperationResult(
        " ".join((message, *_first_errors(imported.rejected))),
        imported,
        [{"line": line, "error": error} for line, error in imported.rejected],
        is_listed=True,
        count=imported.created + imported.existing,
        is_success=not imported.rejected,
    )


def _refused(found: WatchFile, results: Sequence[bool | InvalidInputError]) -> Iterator[tuple[int, str]]:
    for (line, _), result in zip(found.requests, results, strict=True):
        if isinstance(result, InvalidInputError):
            yield line, str(result)


def _first_errors(rejected: Collection[tuple[int, str]]) -> tuple[str, ...]:
    """Describe how many lines are left out, and the errors of the first of them."""
    if not rejected:
        return ()
    errors = (f"Line {line}: {error}." for line, error in sorted(rejected)[:_NAMED])
    return (f"{plural(len(rejected), 'line is', 'lines are')} left out.", *errors)


ADD = Operation(
    "watch.add",
    "Watch SECTION of TERM for EMAIL.",
    NewWatch,
    lambda _: "watch",
    _plan_add,
    _add,
    choices=lambda context: {"source": context.services.source_names},
)
ADD_BY_LINK = Operation(
    "watch.add-link",
    "Watch the section that LINK shows, for EMAIL.",
    NewLinkWatch,
    lambda _: "watch",
    lambda context, given: _plan_add(context, given.watch(context.services)),
    lambda context, given, entry: _add(context, given.watch(context.services), entry),
    choices=lambda context: {"source": tuple(context.services.catalogs)},
    action=ADD.name,
    help="LINK is the address of a section in the class search, or its number where that identifies it.",
)
IMPORT = Operation(
    "watch.import",
    "Import watches from FILE (CSV: email,source,term,section[,kinds,min_seats,…]; - for standard input).",
    ImportInput,
    lambda _: "watches",
    _plan_import,
    _import,
    help="As spreadsheets write it: with commas, semicolons or tabs; in UTF-8, UTF-16 or Windows-1252. If one"
    " catalog is configured, the column source may be missing. Exits with 1 if a line is rejected; the others"
    " are imported.",
)
