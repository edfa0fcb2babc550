"""`/openapi.json`: the OpenAPI description of this API."""

from __future__ import annotations

import functools
import json
from http import HTTPStatus

from starlette.responses import Response

from ingress.api import credits as credit_endpoints
from ingress.api import cron, health, jobs, watches, webhooks
from ingress.api.description import Part, describe
from ingress.endpoint import JSON, EndpointDoc, RequestContext, ResponseDoc, endpoint, readable
from ingress.forms import unread
from ingress.pages import api_docs, front, runbook, unsubscribe

DESCRIBED = (
    *(cron, watches, jobs, credit_endpoints),
    *(unsubscribe, webhooks, health, runbook, front, api_docs),
)
_INFO = {
    "title": "Rollcall",
    "version": "1",
    "summary": "Watches university class sections and e-mails people the moment a seat opens.",
    "description": "Errors are problem documents (RFC 9457). Times are ISO 8601 in UTC. Unknown fields and "
    "parameters are refused by name. Whatever can be read with GET can be asked for with HEAD.",
}
_SHAPE = {"type": "object", "required": ["openapi", "info", "paths"]}


@endpoint(unread(), EndpointDoc({HTTPStatus.OK: ResponseDoc("The description.", _SHAPE)}), blocks=False)
def show(_call: RequestContext[bytes]) -> Response:
    """The description that you are reading."""
    return Response(_written(), media_type=JSON)


ROUTES = (readable("/openapi.json", show),)


@functools.cache
def description() -> Part:
    """Return the description of every API endpoint, including this one."""
    return describe([*(route for surface in DESCRIBED for route in surface.ROUTES), *ROUTES], _INFO)


@functools.cache
def _written() -> bytes:
    return json.dumps(description()).encode()
