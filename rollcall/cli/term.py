"""`rollcall term`: the terms of the catalogs."""

from __future__ import annotations

import click

from operations import terms
from rollcall.cli.output import json_option, show
from rollcall.cli.person import shell_user
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


@term.command()
@click.argument("source")
@click.argument("term")
@click.option("--force", is_flag=True, help="Also while the catalog still lists some of its sections.")
def end(source: str, term: str, *, force: bool) -> None:
    """End all watches on TERM of SOURCE; each person who has any is mailed once."""
    with open_system() as system:
        ended = terms.end(system.services, source, term, shell_user(), force=force)
    click.echo(f"{source}/{term} has ended: {ended.watches} watches of {ended.people} people")
