"""The report as one HTML document that needs nothing else: styles and drawings are in it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from reports.contents import Contents

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES = Path(__file__).parent / "templates"


def render_html(contents: Contents) -> str:
    """The document; the same contents make the same text."""
    return _template().render(report=contents)


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - heavy

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
