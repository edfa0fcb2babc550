"""Light or dark theme by the visitor's choice, else by the visitor's system."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Literal

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from ingress.console import session
from ingress.console.guard import safe_redirect_path
from ingress.endpoint import Routes
from ingress.request import RequestContext
from operations.inputs import Text

COOKIE = "rollcall_theme"
routes = Routes()
THEMES = ("auto", "light", "dark")
_LIFETIME = timedelta(days=365)


class ThemeForm(Struct, frozen=True):
    """The theme, and the page to return to."""

    theme: Literal["auto", "light", "dark"]
    back: Text


def current_theme(headers: Headers) -> str:
    """Return the chosen theme."""
    found = session.get(headers, COOKIE)
    return found if found in THEMES else THEMES[0]


@routes.post("/theme", blocks=False)
def choose(request: RequestContext, form: ThemeForm) -> Response:
    """Store the choice."""
    response = RedirectResponse(safe_redirect_path(form.back), HTTPStatus.SEE_OTHER)
    session.put(request, response, COOKIE, form.theme, _LIFETIME)
    return response
