"""`/runbook/…`: what to do for each alert, one page per heading of the operations guide.

The pages contain nothing about this installation and need no sign-in, so that an operator on call can read
them on a phone. The renderer supports the Markdown that the guide uses: paragraphs, code, bold, and internal
links.
"""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from msgspec import Struct
from starlette.responses import Response

from ingress.endpoint import PAGE, Nothing, Routes
from ingress.pages.html import render_page
from ingress.problems import not_found
from ingress.request import RequestContext
from operations.inputs import Text

_FENCED = re.compile(r"^ *```\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\[(?P<text>[^]]+)\]\((?P<to>[^)]+)\)", re.DOTALL
)


def render_markdown(text: str) -> str:
    """Render `text` as HTML. Links to headings become links to their pages; other links become text."""
    *pairs, last = _FENCED.split(text)
    found = [
        _prose(prose) + f"<pre><code>{html.escape(code)}</code></pre>"
        for prose, code in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return "".join([*found, _prose(last)])


def _prose(text: str) -> str:
    return "".join(map(_block, filter(None, map(str.strip, re.split(r"\n\s*\n", text)))))


def _block(text: str) -> str:
    if text.startswith("|"):
        return f"<pre>{html.escape(text)}</pre>"
    return f"<p>{_INLINE.sub(_span, html.escape(text))}</p>"


def _span(found: re.Match[str]) -> str:
    if found["code"]:
        return f"<code>{found['code']}</code>"
    if found["bold"]:
        return f"<strong>{found['bold']}</strong>"
    slug = found["to"].removeprefix("#")
    return found["text"] if slug == found["to"] else f'<a href="{slug}">{found["text"]}</a>'


_GUIDE = Path(__file__).parent / "templates" / "operations.md"
_HEADING = re.compile(r"^###? (.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunbookSection:
    """One heading and the HTML below it, up to the next heading."""

    title: str
    body: str


routes = Routes()


class SectionPath(Struct, frozen=True):
    """One section of the runbook."""

    name: Text


@routes.get("/runbook/{name}", PAGE, lenient_query=Nothing, problems=(HTTPStatus.NOT_FOUND,))
def get_section(_request: RequestContext, path: SectionPath) -> Response:
    """Read what to do about an alert."""
    section = sections().get(path.name)
    if section is None:
        raise not_found("runbook section")
    return render_page("runbook.html.j2", section=section)


@functools.cache
def sections() -> dict[str, RunbookSection]:
    """Return the guide's sections by the anchors of their headings."""
    _, *parts = _HEADING.split(_GUIDE.read_text())
    return {
        title.lower().replace(" ", "-"): RunbookSection(title, render_markdown(body))
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }
