"""`rollcall source`: the catalogs and mail, which can be left alone for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from operations import sources
from rollcall.commands.duration import for_option
from rollcall.commands.person import shell_user
from rollcall.output import json_option, show
from rollcall.process import open_system
from store.pauses import Pause


@click.group()
def source() -> None:
    """Look at the sources and at mail; pause and resume them."""


@source.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the sources, and mail, with the pauses in force."""
    with open_system() as system:
        store, now = system.services.store, system.services.clock.now()
        seen, kept = store.sections.last_success(), store.pauses.kept()
        rows = [_row(name, seen.get(name), kept.get(name), now) for name in sources.names(system.services)]
    show(rows, as_json=as_json)


@source.command()
@click.argument("name")
@for_option
@click.option("--reason", required=True, help="Why; whoever is alerted reads it.")
def pause(name: str, length: timedelta, reason: str) -> None:
    """Leave NAME alone (mail: send nothing): what is due waits, and nothing is lost but time."""
    with open_system() as system:
        found = sources.pause(system.services, name, length, reason, shell_user())
    click.echo(f"{name} is paused until {found.until:%Y-%m-%d %H:%M:%S} UTC")


@source.command()
@click.argument("name")
def resume(name: str) -> None:
    """End the pause of NAME, whoever set it."""
    with open_system() as system:
        was_paused = sources.resume(system.services, name, shell_user())
    click.echo(f"{name} goes on" if was_paused else f"{name} was not paused")


def _row(name: str, seen_at: datetime | None, pause: Pause | None, now: datetime) -> dict[str, object]:
    held = pause if pause is not None and pause.is_in_force(now) else None
    return {
        "name": name,
        "last_success_at": seen_at,
        "paused_until": held and held.until,
        "by": held and held.by,
        "reason": held and held.reason,
    }
