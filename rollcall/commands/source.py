"""`rollcall source`: the catalogs and mail, which can be left alone for a while."""

from __future__ import annotations

import getpass
import re
from datetime import datetime, timedelta

import click

from actors.deliver import MAIL
from domain.errors import InvalidInputError
from rollcall.output import json_option, show
from rollcall.process import open_system
from rollcall.wiring import System
from store.pauses import Pause

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=366)


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
        rows = [_row(name, seen.get(name), kept.get(name), now) for name in _names(system)]
    show(rows, as_json=as_json)


@source.command()
@click.argument("name")
@click.option("--for", "length", required=True, help="How long: 90s, 15m, 2h or 3d.")
@click.option("--reason", required=True, help="Why; whoever is alerted reads it.")
def pause(name: str, length: str, reason: str) -> None:
    """Leave NAME alone (mail: send nothing): what is due waits, and nothing is lost but time."""
    duration = _duration(length)
    with open_system() as system:
        _require(system, name)
        now = system.services.clock.now()
        found = system.services.store.pauses.pause(name, now + duration, reason, getpass.getuser(), now)
    click.echo(f"{name} is paused until {found.until:%Y-%m-%d %H:%M:%S} UTC")


@source.command()
@click.argument("name")
def resume(name: str) -> None:
    """End the pause of NAME, whoever set it."""
    with open_system() as system:
        _require(system, name)
        was_paused = system.services.store.pauses.resume(name)
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


def _names(system: System) -> list[str]:
    return [*system.services.sources, MAIL]


def _require(system: System, name: str) -> None:
    if name not in _names(system):
        raise InvalidInputError({"name": f"must be one of {', '.join(_names(system))}"})


def _duration(text: str) -> timedelta:
    matched = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    duration = timedelta(**{_UNITS[matched[2]]: int(matched[1])}) if matched else timedelta(0)
    if not timedelta(0) < duration <= _LONGEST:
        raise InvalidInputError({"--for": "must be a time such as 90s, 15m, 2h or 3d, a year at most"})
    return duration
