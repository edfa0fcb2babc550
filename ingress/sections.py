"""`/sections`: what is known of a section, and how it came to be so."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from domain.section import SectionKey
from ingress import representation
from ingress.bearer import api_token
from ingress.endpoint import Call, endpoint, readable
from ingress.forms import Nothing, no_query
from ingress.problems import not_found


@endpoint(no_query, secrets=api_token)
def show(call: Call[Nothing]) -> Response:
    """One section's state and history."""
    key = SectionKey(call.path["source"], call.path["term"], call.path["number"])
    sections = call.surfaces.services.store.sections
    state = None if key.problems() else sections.get(key)
    if state is None:
        raise not_found("section")
    return JSONResponse(representation.section(state, sections.history(key)))


ROUTES = (readable("/sections/{source}/{term}/{number}", show),)
