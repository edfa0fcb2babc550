"""Renders self-contained HTML pages that load and execute nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, status: HTTPStatus = HTTPStatus.OK, /, **facts: object) -> Response:
    """Render `template` with `facts`; the content policy allows only its own style sheet."""
    style = _style()
    html = _environment().get_template(template).render(facts, style=style)
    return HTMLResponse(html, status, {"Content-Security-Policy": _policy(style)})


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


@functools.cache
def _style() -> str:
    return (_TEMPLATES / "page.css").read_text()


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - heavy

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
