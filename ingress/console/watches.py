"""`/console/watches`: active watches, CSV export and import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from ingress.bodies import KIBIBYTE, SHEET_FORM
from ingress.console.layout import page
from ingress.console.watch_filter import WatchFilterForm
from ingress.csv_reader import MAX_RECORDS
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.forms import Nothing, no_query, query
from ingress.pagination import cursor, cursor_of
from operations.watches import COLUMNS, export

_LISTING = "watches"
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class WatchesForm(WatchFilterForm):
    """The filter and the page of the watches."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(WatchesForm), EndpointDoc({}))
def show_all(call: RequestContext[WatchesForm]) -> Response:
    """List the active watches in order of creation."""
    form, services = call.query, call.surfaces.services
    watches, following = services.store.watches.matching(form.filter, after=form.cursor, limit=_SHOWN)
    count, people = services.store.watches.count(form.filter)
    return page(
        call,
        "watches.html",
        watches=watches,
        form=form,
        count=count,
        people=people,
        default_source=call.surfaces.default_source,
        now=services.clock.now(),
        filters=urlencode(form.given),
        older=cursor(_LISTING, following),
    )


@endpoint(no_query, EndpointDoc({}))
def download(call: RequestContext[Nothing]) -> Response:
    """Export every active watch as CSV."""
    content = "".join(export(call.surfaces.services))
    headers = {"Content-Disposition": 'attachment; filename="watches.csv"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv", headers=headers)


@endpoint(no_query, EndpointDoc({}))
def ask_for_sheet(call: RequestContext[Nothing]) -> Response:
    """Show the form that takes a CSV file of watches."""
    return page(
        call,
        "import.html",
        columns=COLUMNS,
        most_lines=MAX_RECORDS,
        most_mebibytes=SHEET_FORM.limit_bytes // KIBIBYTE**2,
    )


ROUTES = (
    readable("/watches", show_all),
    readable("/watches.csv", download),
    readable("/watches/import", ask_for_sheet),
)
