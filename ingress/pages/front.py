"""`/`: the start page. It redirects to the console until there are pages for students."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable
from ingress.forms import unread

_HOME = "/console/"
_LOCATION = {"Location": {"type": "string", "const": _HOME}}


@endpoint(
    unread(),
    EndpointDoc({HTTPStatus.TEMPORARY_REDIRECT: ResponseDoc("To the console.", headers=_LOCATION)}),
    blocks=False,
)
def enter(_call: RequestContext[bytes]) -> Response:
    """The way to the console; programs begin at /openapi.json."""
    return RedirectResponse(_HOME, HTTPStatus.TEMPORARY_REDIRECT)


ROUTES = (readable("/", enter),)
