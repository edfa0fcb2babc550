"""The layout that all console pages share: template rendering, navigation, assets and runbook links.

The style sheet, script and icon each have a URL that contains a hash of the content.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.responses import HTMLResponse, Response

from ingress.console import formatting, session
from ingress.endpoint import Routes
from ingress.problems import not_found
from ingress.request import RequestContext
from observability.checks import runbook_link
from operations.inputs import Text
from operations.watch_preferences import described
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
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


routes = Routes()


class AssetPath(Struct, frozen=True):
    """One asset."""

    name: Text


@routes.get("/static/{name}")
def show(_request: RequestContext, path: AssetPath) -> Response:
    """Serve one asset; a URL with another hash is not found."""
    file = _by_address().get(path.name)
    if file is None:
        raise not_found("file")
    return Response(file.read_bytes(), headers=_FOREVER, media_type=_TYPES[file.suffix])


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
    request: RequestContext, template: str, status: HTTPStatus = HTTPStatus.OK, /, **facts: object
) -> Response:
    """Render `template` with `facts` as a page, including a pending flash message."""
    said = session.read_flash(request)
    html = render(template, **(_frame(request) | {"said": said} | facts))
    response = HTMLResponse(html, status, _HEADERS)
    if said is not None:
        session.clear_flash(request, response)
    return response


def render(template: str, /, **facts: object) -> str:
    """Render `template` with `facts`; a missing fact is an error."""
    return _environment().get_template(template).render(facts)


def _frame(request: RequestContext) -> dict[str, object]:
    return {
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "navigation": NAVIGATION,
        "current": current(request.url.path),
        "session": session.read_session(request.context, request.headers),
        "environment": request.context.environment,
        "is_production": request.context.environment == PRODUCTION,
        "theme": session.current_theme(request.headers),
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
    environment.filters |= {
        "seen_at": seen_at,
        "listing": listing,
        "conditions": described,
        "runbook": runbook,
    }
    environment.tests["unread"] = formatting.is_unread
    return environment
