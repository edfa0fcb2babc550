"""`/sections`: what is known of a section, and how it came to be so."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from domain.section import SectionKey
from ingress import fields, representation
from ingress.bearer import api_token
from ingress.endpoint import Call, endpoint, readable
from ingress.forms import Nothing, no_query
from ingress.manual import Answer, Manual
from ingress.problems import not_found
from ingress.shapes import ref


@endpoint(
    no_query,
    Manual({HTTPStatus.OK: Answer("The section.", ref("Section"))}),
    secrets=api_token,
    path={"source": fields.source, "term": fields.term, "number": fields.section},
)
def show(call: Call[Nothing]) -> Response:
    """One section's state and history."""
    key = SectionKey(**call.path)
    sections = call.surfaces.services.store.sections
    state = sections.get(key)
    if state is None:
        raise not_found("section")
    return JSONResponse(representation.section(state, sections.history(key)))


ROUTES = (readable("/sections/{source}/{term}/{number}", show),)
