"""`/console/sections`: watched sections, their history and their watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from domain.section import SectionKey
from domain.watch import NotificationKind
from ingress import fields
from ingress.console.charts import seats_chart
from ingress.console.layout import page
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import one_of, text, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.pagination import cursor, cursor_of
from ingress.problems import not_found
from store.sections.search import SectionStatus

_LISTING = "sections"
_SHOWN, _SIGHTINGS, _WATCHES = 50, 50, 200


@dataclass(frozen=True, slots=True)
class SectionsForm:
    """The search and the page of the results."""

    q: Annotated[str | None, unless_blank(text)] = None
    state: Annotated[SectionStatus | None, unless_blank(one_of(SectionStatus))] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(SectionsForm), EndpointDoc({}))
def show_all(call: RequestContext[SectionsForm]) -> Response:
    """List the matching sections."""
    form, services = call.query, call.surfaces.services
    found, following = services.store.search.sections(
        (form.q or "").strip(), form.state, after=form.cursor, limit=_SHOWN
    )
    return page(
        call,
        "sections.html",
        found=found,
        form=form,
        looks=SectionStatus,
        over=services.store.terms.over(services.clock.now()),
        filters=urlencode({"q": form.q or "", "state": form.state or ""}),
        older=cursor(_LISTING, following),
    )


@endpoint(
    no_query,
    EndpointDoc({}),
    path={"source": fields.source, "term": fields.term, "number": fields.section},
)
def show_one(call: RequestContext[Nothing]) -> Response:
    """Show one section: its seats over time, and its active watches."""
    key = SectionKey(**call.path)
    services = call.surfaces.services
    state = services.store.sections.get(key)
    if state is None:
        raise not_found("section")
    history = services.store.sections.history(key)
    watches, more = services.store.watches.page(key=key, after=None, limit=_WATCHES)
    return page(
        call,
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


ROUTES = (
    readable("/sections", show_all),
    readable("/sections/{source}/{term}/{number}", show_one),
)
