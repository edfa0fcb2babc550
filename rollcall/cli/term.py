"""`rollcall term`: the terms of the catalogs."""

from __future__ import annotations

import click

from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def term() -> None:
    """List the terms that are watched, and end those that are over."""


@term.command("listed")
@click.argument("source", required=False)
@json_option
def listed(source: str | None, *, as_json: bool) -> None:
    """List the terms that polled catalogs, or SOURCE, list, and which of them is in use or proposed."""
    with open_system() as system:
        found = system.services.store.catalog_terms.all(source)
    rows = (
        {
            "source": each.source,
            "term": each.term.code,
            "label": each.term.label,
            "view_only": each.term.is_view_only,
            "state": each.state,
            "seen_at": each.seen_at,
        }
        for each in found
    )
    show(
        rows, as_json=as_json, empty="No list of terms was read yet: catalogs are read once they are polled."
    )


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
