"""`rollcall source`: catalogs and mail.

`rollcall section`: sections. `rollcall breaker`: circuit breakers.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import click

from domain.errors import InvalidInputError
from domain.history import HistoryEntry
from domain.notification import MAIL
from domain.section import SectionKey
from observability.checks.snapshot import SourceState, SystemSnapshot, required
from operations import breakers, pauses, status
from operations.watches import seen_at
from rollcall.cli.duration import for_option
from rollcall.cli.output import json_option, show
from rollcall.cli.person import shell_user
from rollcall.process import open_system
from store.sections.search import FoundSection, SectionStatus


@click.group()
def source() -> None:
    """Look at the sources and at mail; pause and resume them."""


@source.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the sources, and mail: whether they answer, the pauses in force, and the last error."""
    with open_system() as system:
        found = status.read(system.admin)
        rows = [_row(name, found) for name in pauses.names(system.services)]
    show(rows, as_json=as_json)


@source.command()
@click.argument("name")
@for_option
@click.option("--reason", required=True, help="Why; whoever is alerted reads it.")
def pause(name: str, length: timedelta, reason: str) -> None:
    """Leave NAME alone (mail: send nothing): what is due waits, and nothing is lost but time."""
    with open_system() as system:
        found = pauses.pause(system.services, name, length, reason, shell_user())
    click.echo(f"{name} is paused until {found.until:%Y-%m-%d %H:%M:%S} UTC")


@source.command()
@click.argument("name")
def resume(name: str) -> None:
    """End the pause of NAME, whoever set it."""
    with open_system() as system:
        was_paused = pauses.resume(system.services, name, shell_user())
    click.echo(f"{name} goes on" if was_paused else f"{name} was not paused")


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
    """Find sections, and look at what was seen of them."""


@section.command("ls")
@click.argument("text", default="")
@click.option(
    "--state", "look", type=click.Choice([look.value for look in SectionStatus]), help="Only those."
)
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_sections(text: str, look: str | None, limit: int, *, as_json: bool) -> None:
    """List the sections whose number begins with TEXT, or whose course or title holds it."""
    wanted = None if look is None else SectionStatus(look)
    with open_system() as system:
        found, following = system.services.store.search.sections(text, wanted, limit=limit)
    show(map(_section_row, found), as_json=as_json, empty="there are no such sections")
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
    """Look at the breakers, hold them open or closed, or let them go."""


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
    """List who held or reset the breaker NAME, or any: the latest first."""
    with open_system() as system:
        names = list(system.services.breakers) if name is None else [name]
        told = [(each, event) for each in names for event in breakers.named(system.services, each).history()]
    told.sort(key=lambda one: one[1].at, reverse=True)
    rows = [{"name": each, **asdict(event)} for each, event in told]
    show(rows, as_json=as_json, empty="nobody held or reset a breaker")


@breaker.command("open")
@click.argument("name")
def open_(name: str) -> None:
    """Hold the breaker NAME open: no request is made until it is reset."""
    with open_system() as system:
        breakers.force_open(system.services, name, shell_user())
    click.echo(f"{name} is held open")


@breaker.command()
@click.argument("name")
def close(name: str) -> None:
    """Hold the breaker NAME closed: every request is made, whatever fails."""
    with open_system() as system:
        breakers.force_closed(system.services, name, shell_user())
    click.echo(f"{name} is held closed")


@breaker.command()
@click.argument("name")
def reset(name: str) -> None:
    """Close the breaker NAME, and let it decide by itself again."""
    with open_system() as system:
        breakers.reset(system.services, name, shell_user())
    click.echo(f"{name} is closed and decides by itself")
