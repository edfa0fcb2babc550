"""`rollcall section`: what is known of the sections."""

from __future__ import annotations

import click

from domain.errors import InvalidInputError
from domain.history import HistoryEntry
from domain.section import SectionKey
from operations.watches import seen_at
from rollcall.output import json_option, show
from rollcall.process import open_system
from store.sections.search import FoundSection, SearchQuery


@click.group()
def section() -> None:
    """Find sections, and look at what was seen of them."""


@section.command("ls")
@click.argument("text", default="")
@click.option("--state", "look", type=click.Choice([look.value for look in SearchQuery]), help="Only those.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(text: str, look: str | None, limit: int, *, as_json: bool) -> None:
    """List the sections whose number begins with TEXT, or whose course or title holds it."""
    wanted = None if look is None else SearchQuery(look)
    with open_system() as system:
        found, following = system.services.store.search.sections(text, wanted, limit=limit)
    show(map(_row, found), as_json=as_json, empty="there are no such sections")
    if following is not None:
        click.echo(f"there are more than {limit}", err=True)


@section.command("show")
@click.argument("source")
@click.argument("term")
@click.argument("number")
@json_option
def show_(source: str, term: str, number: str, *, as_json: bool) -> None:
    """Show what was seen of a section, the latest first."""
    key = SectionKey(source, term, number)
    with open_system() as system:
        history = system.services.store.sections.history(key)
        state = system.services.store.sections.get(key)
    if state is None:
        raise InvalidInputError({"section": f"nobody ever watched {key}"})
    show(map(_sighting, history), as_json=as_json, empty=f"{key} was never seen")


def _sighting(seen: HistoryEntry) -> dict[str, object]:
    return {
        "observed_at": seen.observed_at,
        "open_seats": seen.open_seats,
        "capacity": seen.capacity,
        "instructor": seen.instructor,
    }


def _row(found: FoundSection) -> dict[str, object]:
    state = found.state
    return {
        "section": str(state.key),
        "course": state.details.course,
        "title": state.details.title,
        "open_seats": state.open_seats,
        "capacity": state.capacity,
        "instructor": state.instructor,
        "watches": found.watches,
        "observed_at": seen_at(state),
        "retired": state.retired,
    }
