"""`rollcall term`: the terms of the catalogs."""

from __future__ import annotations

import click

from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def term() -> None:
    """List the terms that are watched, and end those that are over."""


@term.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the terms that are watched, with how many of their sections are missing."""
    with open_system() as system:
        found, now = system.services.store.terms.all(), system.services.clock.now()
    rows = (
        {
            "source": source,
            "term": name,
            "sections": presence.tracked,
            "missing": presence.missing,
            "missing_since": presence.missing_since if presence.is_gone else None,
            "seems_over": presence.is_over(now),
        }
        for (source, name), presence in sorted(found.items())
    )
    show(rows, as_json=as_json, empty="no term is watched")
