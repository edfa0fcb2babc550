"""`/sections`: what is known of each section, and how it came to be so."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from starlette.responses import JSONResponse, Response

from domain.section import SectionKey
from ingress import fields, representation
from ingress.bearer import api_token
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import text, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.manual import EndpointDoc, ResponseDoc
from ingress.pages import DEFAULT_LIMIT, cursor_of, limit, page
from ingress.problems import not_found
from ingress.shapes import page_of, ref

_LISTING = "sections"


@dataclass(frozen=True, slots=True)
class SectionsForm:
    """Which of the sections, and which page of them."""

    source: Annotated[str | None, unless_blank(fields.source)] = None
    term: Annotated[str | None, unless_blank(fields.term)] = None
    q: Annotated[str | None, unless_blank(text)] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    query(SectionsForm),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("One page.", page_of("SectionSummary"))}),
    secrets=api_token,
)
def list_all(call: RequestContext[SectionsForm]) -> Response:
    """The sections that were ever watched; `q` is how a number begins, or a part of a course or title."""
    form = call.query
    found, following = call.surfaces.services.store.search.sections(
        (form.q or "").strip(), source=form.source, term=form.term, after=form.cursor, limit=form.limit
    )
    return page(_LISTING, map(representation.section_summary, found), following)


@endpoint(
    no_query,
    EndpointDoc({HTTPStatus.OK: ResponseDoc("The section.", ref("Section"))}),
    secrets=api_token,
    path={"source": fields.source, "term": fields.term, "number": fields.section},
)
def show(call: RequestContext[Nothing]) -> Response:
    """One section's state and history."""
    key = SectionKey(**call.path)
    sections = call.surfaces.services.store.sections
    state = sections.get(key)
    if state is None:
        raise not_found("section")
    return JSONResponse(representation.section(state, sections.history(key)))


ROUTES = (
    readable("/sections", list_all),
    readable("/sections/{source}/{term}/{number}", show),
)
