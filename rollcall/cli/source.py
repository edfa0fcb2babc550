"""`rollcall source`: catalogs and mail.

`rollcall section`: sections. `rollcall breaker`: circuit breakers.
"""

from __future__ import annotations

from dataclasses import asdict

import click

from domain.errors import InvalidInputError
from domain.history import HistoryEntry
from domain.notification import MAIL
from domain.section import SectionKey
from observability.checks.snapshot import SourceState, SystemSnapshot, required
from operations import breakers, pauses, status
from operations.watches import seen_at
from rollcall.cli.output import json_option, show
from rollcall.process import open_system
from store.sections.search import FoundSection, SectionQuery, SectionStatus


@click.group()
def source() -> None:
    """List catalogs and mail; pause and resume them."""


@source.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the catalogs and mail: their state, pause and last error."""
    with open_system() as system:
        found = status.read(system.admin)
        rows = [_row(name, found) for name in pauses.names(system.services)]
    show(rows, as_json=as_json)


def _row(name: str, found: SystemSnapshot) -> dict[str, object]:
    pause, breaker = found.pause(name), found.breaker(name)
    source = required(found.sources).get(name)
    return {
        "name": name,
        "state": _mail_state(found) if source is None else found.source_state(name),
        "last_success_at": source and source.last_success_at,
        "paused_until": pause and pause.until,
        "by": pause and pause.by,
        "reason": pause and pause.reason,
        "last_error_at": breaker and breaker.last_error_at,
        "last_error": breaker and breaker.last_error,
    }


def _mail_state(found: SystemSnapshot) -> SourceState | None:
    return SourceState.PAUSED if found.pause(MAIL) is not None else None


@click.group()
def section() -> None:
    """Find sections, and show their history."""


@section.command("ls")
@click.argument("text", default="")
@click.option(
    "--state", "query", type=click.Choice([each.value for each in SectionStatus]), help="In this state."
)
@click.option("--source", help="Of this catalog.")
@click.option("--term", help="Of this term.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="How many at most.")
@json_option
def list_sections(
    text: str, query: str | None, source: str | None, term: str | None, limit: int, *, as_json: bool
) -> None:
    """List sections with each word of TEXT in course, title, instructor, term or number.

    A word may be a beginning. Without TEXT, list the sections that were ever watched.
    """
    text, status = text.strip(), None if query is None else SectionStatus(query)
    wanted = SectionQuery(text, status, source, term, is_watched=not text)
    with open_system() as system:
        found, following = system.services.store.search.sections(wanted, limit=limit)
    show(map(_section_row, found), as_json=as_json, empty="No section matches.")
    if following is not None:
        click.echo(f"There are more than {limit}.", err=True)


@section.command("show")
@click.argument("source")
@click.argument("term")
@click.argument("number")
@json_option
def show_(source: str, term: str, number: str, *, as_json: bool) -> None:
    """Show the observations of a section, latest first."""
    key = SectionKey(source, term, number)
    with open_system() as system:
        history = system.services.store.sections.history(key)
        state = system.services.store.sections.get(key)
    if state is None:
        raise InvalidInputError({"section": f"{key} was never watched"})
    show(map(_observation_row, history), as_json=as_json, empty=f"{key} was never observed.")


def _observation_row(seen: HistoryEntry) -> dict[str, object]:
    return {
        "observed_at": seen.observed_at,
        "open_seats": seen.open_seats,
        "capacity": seen.capacity,
        "instructor": seen.instructor,
    }


def _section_row(found: FoundSection) -> dict[str, object]:
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


@click.group()
def breaker() -> None:
    """List breakers, force them open or closed, reset them."""


@breaker.command("ls")
@json_option
def list_breakers(*, as_json: bool) -> None:
    """List the breakers."""
    with open_system() as system:
        rows = [asdict(snapshot) for snapshot in breakers.read(system.services)]
    show(rows, as_json=as_json)


@breaker.command()
@click.argument("name", required=False)
@json_option
def history(name: str | None, *, as_json: bool) -> None:
    """List who forced or reset the breaker NAME, or any breaker, latest first."""
    with open_system() as system:
        names = list(system.services.breakers) if name is None else [name]
        events = [
            (each, event) for each in names for event in breakers.named(system.services, each).history()
        ]
    events.sort(key=lambda one: one[1].at, reverse=True)
    rows = [{"name": each, **asdict(event)} for each, event in events]
    show(rows, as_json=as_json, empty="No breaker was forced or reset.")
