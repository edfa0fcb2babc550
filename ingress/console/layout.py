"""The layout that all console pages share: template rendering, navigation, assets and runbook links.

The style sheet, script and icon each have a URL that contains a hash of the content.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from ingress.console import formatting, session, theme
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import text
from ingress.forms import Nothing, no_query
from ingress.problems import not_found
from observability.checks import runbook_link
from operations.watches import listing, seen_at


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation."""

    label: str
    path: str


NAVIGATION = (
    NavItem("Now", "/console/"),
    NavItem("Sections", "/console/sections"),
    NavItem("Watches", "/console/watches"),
    NavItem("Timeline", "/console/timeline"),
    NavItem("Runs", "/console/runs"),
    NavItem("Jobs", "/console/jobs"),
    NavItem("Mail", "/console/mail"),
    NavItem("Dead letters", "/console/dead"),
    NavItem("Audit", "/console/audit"),
)


def current(path: str) -> NavItem | None:
    """Return the entry that matches `path` most exactly."""
    within = [
        place for place in NAVIGATION if path == place.path or path.startswith(f"{place.path.rstrip('/')}/")
    ]
    return max(within, key=lambda place: len(place.path), default=None)


_FOLDER = Path(__file__).parent / "static"
_DIGEST_LENGTH = 12
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@endpoint(no_query, EndpointDoc({}), path={"name": text})
def show(call: RequestContext[Nothing]) -> Response:
    """Serve one asset; a URL with another hash is not found."""
    path = _by_address().get(call.path["name"])
    if path is None:
        raise not_found("file")
    return Response(path.read_bytes(), headers=_FOR_EVER, media_type=_TYPES[path.suffix])


def address(name: str) -> str:
    """Return the path of the asset `name` in this version."""
    return f"/console/static/{_addressed(_FOLDER / name)}"


@functools.cache
def _by_address() -> dict[str, Path]:
    return {_addressed(path): path for path in _FOLDER.iterdir() if path.suffix in _TYPES}


@functools.cache
def _addressed(path: Path) -> str:
    digest = sha256(path.read_bytes()).hexdigest()[:_DIGEST_LENGTH]
    return f"{path.stem}-{digest}{path.suffix}"


def runbook(name: str) -> str:
    """Return the path of the runbook section of the alert rule `name`."""
    return runbook_link("", name).runbook


if TYPE_CHECKING:
    from jinja2 import Environment

PRODUCTION = "production"
_TEMPLATES = Path(__file__).parent / "templates"
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
    """Render `template` with `facts` as a page, including a pending flash message."""
    said = session.read_flash(call)
    html = render(template, **(_frame(call) | {"said": said} | facts))
    response = HTMLResponse(html, status, _HEADERS)
    if said is not None:
        session.clear(call, response)
    return response


def render(template: str, /, **facts: object) -> str:
    """Render `template` with `facts`; a missing fact is an error."""
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
    environment.globals["asset"] = address
    environment.filters |= formatting.FILTERS
    environment.filters |= {"seen_at": seen_at, "listing": listing, "runbook": runbook}
    environment.tests["unread"] = formatting.is_unread
    return environment


ROUTES = (readable("/static/{name}", show),)
