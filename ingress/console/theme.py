"""Light or dark theme by the visitor's choice, else by the visitor's system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from ingress import bodies
from ingress.console import session
from ingress.console.guard import safe_redirect_path
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, writable
from ingress.fields import one_of, text
from ingress.forms import Nothing, no_query, parse
from ingress.syntax import parameters

COOKIE = "rollcall_theme"
THEMES = ("auto", "light", "dark")
_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ThemeForm:
    """The theme, and the page to return to."""

    theme: Annotated[str, one_of(THEMES)]
    back: Annotated[str, text]


def current_theme(headers: Headers) -> str:
    """Return the chosen theme."""
    found = session.get(headers, COOKIE)
    return found if found in THEMES else THEMES[0]


@endpoint(no_query, EndpointDoc({}), body=bodies.FORM, blocks=False)
def choose(call: RequestContext[Nothing]) -> Response:
    """Store the choice."""
    form = parse(ThemeForm, parameters(call.body))
    response = RedirectResponse(safe_redirect_path(form.back), HTTPStatus.SEE_OTHER)
    session.put(call, response, COOKIE, form.theme, _LIFETIME)
    return response


ROUTES = (writable("/theme", POST=choose),)
