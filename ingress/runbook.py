"""`/runbook/…`: what to do for each alert, a page for each heading of the guide for operators.

It holds nothing of this installation, and is open, unlike the console: who is woken at night has a phone.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.responses import Response

from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import text
from ingress.forms import unread
from ingress.manual import HTML, EndpointDoc, ResponseDoc
from ingress.markdown import render_markdown
from ingress.problems import not_found
from ingress.screens import render_page

_GUIDE = Path(__file__).parent / "templates" / "operations.md"
_HEADING = re.compile(r"^###? (.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunbookSection:
    """One heading, and what stands beneath it up to the next, as HTML."""

    title: str
    body: str


_MANUAL = EndpointDoc(
    {HTTPStatus.OK: ResponseDoc("A page for people.", {"type": "string"}, HTML)},
    problems=(HTTPStatus.NOT_FOUND,),
)


@endpoint(unread(), _MANUAL, path={"name": text})
def show(call: RequestContext[bytes]) -> Response:
    """What to do for the alert of that name."""
    chapter = chapters().get(call.path["name"])
    if chapter is None:
        raise not_found("chapter")
    return render_page("runbook.html.j2", chapter=chapter)


@functools.cache
def chapters() -> dict[str, RunbookSection]:
    """The guide's chapters by the anchors of their headings."""
    _, *parts = _HEADING.split(_GUIDE.read_text())
    return {
        title.lower().replace(" ", "-"): RunbookSection(title, render_markdown(body))
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


ROUTES = (readable("/runbook/{name}", show),)
