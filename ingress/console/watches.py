"""`/console/watches`: active watches, CSV export and import."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from ingress.console.layout import page
from ingress.console.session import signed_in
from ingress.endpoint import Routes
from ingress.pagination import cursor_of, next_cursor
from ingress.request import CSV_FORM_BODY, KIBIBYTE, RequestContext
from operations.context import Surface
from operations.csv_reader import MAX_RECORDS
from operations.operation import NoInput, execute
from operations.watch_filters import COLUMNS, EXPORT, WatchFilterInput

_LISTING = "watches"
_SHOWN = 100
routes = Routes()


class WatchesQuery(WatchFilterInput, frozen=True, kw_only=True):
    """The filter and the page of the watches."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@routes.get("/watches")
def show_all(request: RequestContext, query: WatchesQuery) -> Response:
    """List the active watches in order of creation."""
    services = request.services
    watches, following = services.store.watches.matching(query.filter, after=query.cursor, limit=_SHOWN)
    courses, _ = services.store.course_watches.page(email=query.filter.email, after=None, limit=_SHOWN)
    count, people = services.store.watches.count(query.filter)
    return page(
        request,
        "watches.html",
        watches=watches,
        courses=courses,
        catalogs=list(services.catalogs),
        form=query,
        count=count,
        people=people,
        default_source=request.context.default_source,
        now=services.clock.now(),
        filters=urlencode(query.given),
        older=next_cursor(_LISTING, following),
    )


@routes.get("/watches.csv")
def download(request: RequestContext) -> Response:
    """Export every active watch as CSV."""
    context = request.admin(Surface.CONSOLE)
    content = "".join(execute(EXPORT, context, NoInput(), signed_in(request).by).value)
    headers = {"Content-Disposition": 'attachment; filename="watches.csv"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv", headers=headers)


@routes.get("/watches/import")
def ask_for_file(request: RequestContext) -> Response:
    """Show the form that takes a CSV file of watches."""
    return page(
        request,
        "import.html",
        columns=COLUMNS,
        most_lines=MAX_RECORDS,
        most_mebibytes=CSV_FORM_BODY.limit_bytes // KIBIBYTE**2,
    )
