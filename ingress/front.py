"""`/`: where a person begins. It leads to the console until there are pages for students."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from ingress.endpoint import Call, endpoint, readable
from ingress.forms import unread
from ingress.manual import Answer, Manual

_HOME = "/console/"
_LOCATION = {"Location": {"type": "string", "const": _HOME}}


@endpoint(
    unread(),
    Manual({HTTPStatus.TEMPORARY_REDIRECT: Answer("To the console.", headers=_LOCATION)}),
    blocks=False,
)
def enter(_call: Call[bytes]) -> Response:
    """The way to the console; programs begin at /openapi.json."""
    return RedirectResponse(_HOME, HTTPStatus.TEMPORARY_REDIRECT)


ROUTES = (readable("/", enter),)
