"""`/watches`, `/sections` and `/notifications`: watches, section history and notification delivery."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict
from starlette.responses import Response

from actors.services import Services
from domain.errors import InvalidInputError
from domain.notification import NotificationState
from domain.section import SectionKey
from ingress import schemas
from ingress.auth import api_token
from ingress.endpoint import Answer, Routes, json_response
from ingress.pagination import Page, PageQuery, cursor_of, page
from ingress.problems import not_found
from ingress.request import ANY_BODY, CSV_BODY, RequestContext
from ingress.schemas import (
    Imported,
    Notification,
    RejectedLine,
    Section,
    SectionSummary,
    Url,
    Watch,
)
from operations.context import BY_API, Surface
from operations.inputs import DurationText, Email, PositiveId, SectionNumber, SourceName, Term, Text
from operations.new_watches import ADD, IMPORT, ImportInput, NewLinkWatch, NewWatch
from operations.operation import execute
from operations.watch_preferences import Preferences
from operations.watches import END, PAUSE, RESUME, WatchInput, WatchPauseInput
from store.sections.search import SectionQuery
from store.watches import StoredWatch

WATCHES, SECTIONS, NOTIFICATIONS = "watches", "sections", "notifications"
_OPERATIONS = ("get_watches_id", "delete_watches_id", "post_watches_id_pause", "post_watches_id_resume")
_FOLLOW = dict.fromkeys(_OPERATIONS, ("id", "id"))
_LOCATION = {"Location": Url}
Csv = Annotated[
    str,
    Meta(
        description=(
            "A header line and up to 10,000 lines, separated by commas, semicolons or tabs, in UTF-8, UTF-16"
            " or Windows-1252; kinds are separated by | or spaces. The column source is optional if only one"
            " source is configured; kinds, min_seats, unreserved_only (yes or no) and max_waitlist may be"
            " missing too."
        ),
        examples=[
            "email,source,term,section,kinds,min_seats\nada@example.edu,,2261,12431,seat_available,2\n"
        ],
    ),
]
routes = Routes()


class WatchPath(Struct, frozen=True):
    """One watch."""

    id: PositiveId


class WatchBody(Preferences, frozen=True):
    """A watch of a section: either its `term` and `section`, or a `link` to it in a polled catalog."""

    email: Email
    term: Annotated[
        Term | None, Meta(description="Required with a section, and with a link that does not state it.")
    ] = None
    section: SectionNumber | None = None
    link: Annotated[Text | None, Meta(description="The address of the section in the class search.")] = None
    source: Annotated[SourceName | None, Meta(description="The catalog; the first one by default.")] = None
    unlisted: Annotated[bool, Meta(description="Also if its polled catalog does not list the section.")] = (
        False
    )

    def watch(self, services: Services) -> NewWatch:
        """Return the watch of the section. Raises: InvalidInputError as `NewLinkWatch.watch`."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if self.link is None:
            if missing := dict.fromkeys(
                (name for name in ("term", "section") if name not in given), "is missing"
            ):
                raise InvalidInputError(missing)
            return NewWatch(**given)
        if self.section is not None:
            raise InvalidInputError({"section": "must not be given with a link"})
        if self.source is not None and self.source not in services.catalogs:
            raise InvalidInputError({"source": "must be a polled catalog, to read a link"})
        return NewLinkWatch(**given).watch(services)


class WatchesQuery(PageQuery, frozen=True, kw_only=True):
    """The filter and the page of the active watches."""

    email: Email | None = None
    section: SectionNumber | None = None
    cursor: Annotated[int | None, cursor_of(WATCHES)] = None


class PauseWatch(Struct, frozen=True):
    """The duration of the pause."""

    length: DurationText = msgspec.field(name="for")


class SectionPath(Struct, frozen=True):
    """One section."""

    source: SourceName
    term: Term
    number: SectionNumber

    @property
    def key(self) -> SectionKey:
        """Return the identity of the section."""
        return SectionKey(self.source, self.term, self.number)


class SectionsQuery(PageQuery, frozen=True, kw_only=True):
    """The filter and the page of the sections."""

    source: SourceName | None = None
    term: Term | None = None
    q: Annotated[
        Text | None,
        Meta(description="Words of the course, title, instructor, term or number; each may be a beginning."),
    ] = None
    cursor: Annotated[int | None, cursor_of(SECTIONS)] = None


class NotificationsQuery(PageQuery, frozen=True, kw_only=True):
    """The filter and the page of the notifications."""

    watch_id: PositiveId | None = None
    email: Email | None = None
    state: NotificationState | None = None
    cursor: Annotated[int | None, cursor_of(NOTIFICATIONS)] = None


@routes.get("/watches", secrets=api_token)
def list_watches(request: RequestContext, query: WatchesQuery) -> Page[Watch]:
    """List the active watches, oldest first."""
    found, position = request.services.store.watches.page(
        email=query.email, section=query.section, after=query.cursor, limit=query.limit
    )
    return page(WATCHES, map(schemas.watch, found), position)


@routes.post(
    "/watches",
    {
        HTTPStatus.CREATED: Answer("The new watch.", Watch, headers=_LOCATION, follow=_FOLLOW),
        HTTPStatus.OK: Answer("The existing watch, updated.", Watch, headers=_LOCATION, follow=_FOLLOW),
    },
    secrets=api_token,
)
def add_watch(request: RequestContext, body: WatchBody) -> Response:
    """Add a watch, or update the active watch of the same address and section."""
    given = body.watch(request.services)
    added = execute(ADD, request.admin(Surface.API), given, BY_API).value
    status = HTTPStatus.CREATED if added.is_new else HTTPStatus.OK
    location = {"Location": request.context.address(f"/watches/{added.stored.id}")}
    return json_response(schemas.watch(added.stored, added.listing), status, location)


@routes.post(
    "/watches/import",
    secrets=api_token,
    accepts=CSV_BODY.of(Csv),
)
def import_watches(request: RequestContext) -> Imported:
    """Add the watches of a CSV file."""
    done = execute(IMPORT, request.admin(Surface.API), ImportInput(request.body), BY_API).value
    return Imported(done.created, done.existing, [RejectedLine(*line) for line in done.rejected])


@routes.get("/watches/{id}", secrets=api_token)
def get_watch(request: RequestContext, path: WatchPath) -> Watch:
    """Get an active watch."""
    return schemas.watch(_require_active(request, path))


@routes.add("/watches/{id}", ("DELETE",), {HTTPStatus.NO_CONTENT: Answer("It has ended.")}, secrets=api_token)
def end_watch(request: RequestContext, path: WatchPath) -> Response:
    """End a watch."""
    _require_active(request, path)
    execute(END, request.admin(Surface.API), WatchInput(path.id), BY_API)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@routes.post("/watches/{id}/pause", secrets=api_token)
def pause_watch(request: RequestContext, path: WatchPath, body: PauseWatch) -> Watch:
    """Pause a watch; changes during the pause are never sent."""
    _require_active(request, path)
    given = WatchPauseInput(path.id, body.length)
    return schemas.watch(execute(PAUSE, request.admin(Surface.API), given, BY_API).value)


@routes.post(
    "/watches/{id}/resume",
    secrets=api_token,
    accepts=ANY_BODY.of(Any),
)
def resume_watch(request: RequestContext, path: WatchPath) -> Watch:
    """Resume a watch."""
    _require_active(request, path)
    return schemas.watch(execute(RESUME, request.admin(Surface.API), WatchInput(path.id), BY_API).value)


def _require_active(request: RequestContext, path: WatchPath) -> StoredWatch:
    stored = request.services.store.watches.get(path.id)
    if stored is None or stored.ended_at is not None:
        raise not_found("active watch")
    return stored


@routes.get("/sections", secrets=api_token)
def list_sections(request: RequestContext, query: SectionsQuery) -> Page[SectionSummary]:
    """List sections, the unwatched ones of polled catalogs included."""
    wanted = SectionQuery((query.q or "").strip(), source=query.source, term=query.term)
    found, position = request.services.store.search.sections(wanted, after=query.cursor, limit=query.limit)
    return page(SECTIONS, map(schemas.section_summary, found), position)


@routes.get(
    "/sections/{source}/{term}/{number}",
    secrets=api_token,
)
def get_section(request: RequestContext, path: SectionPath) -> Section:
    """Get a section's state and history."""
    sections = request.services.store.sections
    state = sections.get(path.key)
    if state is None:
        raise not_found("section")
    return schemas.section(state, sections.history(path.key))


@routes.get("/notifications", secrets=api_token)
def list_notifications(request: RequestContext, query: NotificationsQuery) -> Page[Notification]:
    """List the notifications, newest first."""
    found, position = request.services.store.deliveries.page(
        watch_id=query.watch_id,
        state=query.state,
        email=query.email,
        before=query.cursor,
        limit=query.limit,
    )
    return page(NOTIFICATIONS, map(schemas.notification, found), position)
