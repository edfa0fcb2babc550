"""As much of Markdown as the guide for operators needs: paragraphs, code, bold, and links within it."""

from __future__ import annotations

import html
import re

_FENCED = re.compile(r"^ *```\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\[(?P<text>[^]]+)\]\((?P<to>[^)]+)\)", re.DOTALL
)


def render_markdown(text: str) -> str:
    """`text` as HTML. A link to a heading becomes one to the page beside this; others become their text."""
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
