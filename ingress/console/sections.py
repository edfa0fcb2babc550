"""`/console/sections`: watched sections, their history and their watches."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import Response

from domain.watch import NotificationKind
from ingress.api.watches import SectionPath
from ingress.console.charts import seats_chart
from ingress.console.layout import page
from ingress.endpoint import Routes
from ingress.pagination import cursor_of, next_cursor
from ingress.problems import not_found
from ingress.request import RequestContext
from operations.inputs import Text
from store.sections.search import SectionQuery, SectionStatus

_LISTING = "sections"
routes = Routes()
_SHOWN, _SIGHTINGS, _WATCHES = 50, 50, 200


class SectionsQuery(Struct, frozen=True):
    """The search and the page of the results."""

    q: Text | None = None
    state: SectionStatus | None = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@routes.get("/sections")
def show_all(request: RequestContext, query: SectionsQuery) -> Response:
    """List the matching sections."""
    services = request.services
    wanted = SectionQuery((query.q or "").strip(), query.state, is_watched=not query.q)
    found, following = services.store.search.sections(wanted, after=query.cursor, limit=_SHOWN)
    return page(
        request,
        "sections.html",
        found=found,
        form=query,
        looks=SectionStatus,
        over=services.store.terms.over(services.clock.now()),
        filters=urlencode({"q": query.q or "", "state": query.state or ""}),
        older=next_cursor(_LISTING, following),
    )


@routes.get("/sections/{source}/{term}/{number}")
def show_one(request: RequestContext, path: SectionPath) -> Response:
    """Show one section: its seats over time, and its active watches."""
    key = path.key
    services = request.services
    state = services.store.sections.get(key)
    if state is None:
        raise not_found("section")
    history = services.store.sections.history(key)
    watches, more = services.store.watches.page(key=key, after=None, limit=_WATCHES)
    return page(
        request,
        "section.html",
        key=key,
        state=state,
        history=history[:_SIGHTINGS],
        chart=seats_chart(history, services.clock.now()),
        watches=watches,
        has_more=more is not None,
        now=services.clock.now(),
        kinds=NotificationKind,
    )
