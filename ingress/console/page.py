"""A page of the console: a template in the frame that all of them share."""

from __future__ import annotations

import functools
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from ingress.console import assets, flash, session, signposts, theme, wording
from ingress.console.navigation import NAVIGATION, current
from ingress.endpoint import RequestContext
from operations.watches import listing, seen_at

if TYPE_CHECKING:
    from jinja2 import Environment

PRODUCTION = "production"
_TEMPLATES = Path(__file__).parents[1] / "templates" / "console"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Under no-referrer, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
}


def page(
    call: RequestContext[Any], template: str, status: HTTPStatus = HTTPStatus.OK, /, **facts: object
) -> Response:
    """The page that `template` makes of `facts`, with what was left to be said on it."""
    said = flash.read_flash(call)
    html = render(template, **(_frame(call) | {"said": said} | facts))
    response = HTMLResponse(html, status, _HEADERS)
    if said is not None:
        flash.clear(call, response)
    return response


def render(template: str, /, **facts: object) -> str:
    """The text that `template` makes of `facts`; a fact that it lacks is an error."""
    return _environment().get_template(template).render(facts)


def _frame(call: RequestContext[Any]) -> dict[str, object]:
    return {
        "here": call.url.path + (f"?{call.url.query}" if call.url.query else ""),
        "navigation": NAVIGATION,
        "current": current(call.url.path),
        "session": session.sealed(call.surfaces, call.headers),
        "environment": call.surfaces.environment,
        "is_production": call.surfaces.environment == PRODUCTION,
        "theme": theme.current_theme(call.headers),
    }


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - heavy

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = assets.address
    environment.filters |= wording.FILTERS
    environment.filters |= {"seen_at": seen_at, "listing": listing, "runbook": signposts.runbook}
    environment.tests["unread"] = wording.is_unread
    return environment
