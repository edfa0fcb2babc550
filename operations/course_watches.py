"""Watch the sections that a course gains, and end such a watch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from msgspec import Struct

from actors.services import Services
from domain.errors import InvalidInputError
from domain.watch import NotificationKind, default_kinds
from operations.context import AdminContext
from operations.inputs import Course, Email, PositiveId, SourceName, Term
from operations.operation import Command, Operation, OperationResult, Option, Plan
from operations.watch_preferences import Preferences, require_stated, states_waitlist
from operations.watches import end_reason, every_page
from store.audit import AuditEntry
from store.course_watches import CourseWatchRequest, StoredCourseWatch

_PAGE = 500


class NewCourseWatch(Preferences, frozen=True):
    """Who is notified of the sections that a course gains in a polled catalog."""

    email: Email
    source: SourceName
    term: Term
    course: Course

    def __str__(self) -> str:
        return f"{self.source}/{self.term}/{self.course}"


class CourseWatchInput(Struct, frozen=True):
    """One watch of a course."""

    course_watch_id: Annotated[PositiveId, Option(metavar="COURSE_WATCH_ID")]


def _plan_add(context: AdminContext, given: NewCourseWatch) -> Plan:
    require_stated(context.services, given.source, given)
    effects = (
        f"{given.email} gets a watch of each section that the course gains, and one mail about it.",
        "Its present sections are not watched.",
    )
    return Plan(f"Watch the course {given}?", "Add the watch", effects)


def _add(
    context: AdminContext, given: NewCourseWatch, entry: AuditEntry
) -> OperationResult[tuple[StoredCourseWatch, bool]]:
    require_stated(context.services, given.source, given)
    kinds = default_kinds(has_waitlist=states_waitlist(context.services, given.source))
    wanted = CourseWatchRequest(
        given.email,
        given.source,
        given.term,
        given.course,
        given.kinds,
        given.min_seats,
        given.unreserved_only,
        given.max_waitlist,
        default_kinds=(NotificationKind.SECTION_ADDED, *kinds),
    )
    entry = replace(entry, detail={"email": given.email, "course": str(given)})
    stored, is_new = context.services.store.course_watches.add(wanted, entry.at, entry)
    message = f"{'Added' if is_new else 'Updated'} course watch {stored.id}: {stored.watch}."
    return OperationResult(message, (stored, is_new), [course_watch_row(stored)], is_listed=True)


def active(services: Services, *, email: str | None = None) -> Iterator[StoredCourseWatch]:
    """Return the active watches of courses in order of creation, page by page."""
    read = partial(services.store.course_watches.page, email=email, limit=_PAGE)
    return every_page(lambda after: read(after=after))


def course_watch_row(stored: StoredCourseWatch) -> dict[str, Any]:
    """Return a watch of a course as the command line lists it."""
    wanted = stored.watch
    return {
        "id": stored.id,
        "email": wanted.email,
        "source": wanted.source,
        "term": wanted.term,
        "course": wanted.course,
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "unreserved_only": wanted.unreserved_only,
        "max_waitlist": wanted.max_waitlist,
        "baseline_at": stored.baseline_at,
    }


def _plan_end(context: AdminContext, given: CourseWatchInput) -> Plan:
    stored = _active(context, given)
    effect = f"{stored.watch.email} is not notified of new sections of {stored.watch}."
    title = f"Delete course watch {stored.id}?"
    return Plan(title, "Delete", (effect, "The watches that it made stay."), is_irreversible=True)


def _end(context: AdminContext, given: CourseWatchInput, entry: AuditEntry) -> OperationResult[None]:
    _active(context, given)
    context.services.store.course_watches.end(given.course_watch_id, end_reason(context), entry.at, entry)
    return OperationResult(f"Ended course watch {given.course_watch_id}.", None)


def _active(context: AdminContext, given: CourseWatchInput) -> StoredCourseWatch:
    stored = context.services.store.course_watches.get(given.course_watch_id)
    if stored is None or stored.ended_at is not None:
        problem = f"no active watch of a course has the number {given.course_watch_id}"
        raise InvalidInputError({"course_watch_id": problem})
    return stored


ADD_COURSE = Operation(
    "course-watch.add",
    "Watch the sections that COURSE of SOURCE gains in TERM, for EMAIL.",
    NewCourseWatch,
    lambda _: "course-watch",
    _plan_add,
    _add,
    choices=lambda context: {"source": tuple(context.services.catalogs)},
    commands=(Command("watch add-course"),),
)
END_COURSE = Operation(
    "course-watch.end",
    "End the watch COURSE_WATCH_ID of a course; the watches that it made stay.",
    CourseWatchInput,
    lambda given: f"course-watch/{given.course_watch_id}",
    _plan_end,
    _end,
    commands=(Command("watch rm-course"),),
)
