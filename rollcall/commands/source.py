"""`rollcall source`: the catalogs and mail, which can be left alone for a while."""

from __future__ import annotations

from datetime import timedelta

import click

from domain.notification import MAIL
from observability.checks.snapshot import SourceState, SystemSnapshot
from observability.checks.unavailable import required
from operations import pauses, status
from rollcall.commands.duration import for_option
from rollcall.commands.person import shell_user
from rollcall.control import control_room
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def source() -> None:
    """Look at the sources and at mail; pause and resume them."""


@source.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the sources, and mail: whether they answer, the pauses in force, and the last error."""
    with open_system() as system:
        found = status.read(control_room(system))
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
