"""`rollcall breaker`: the circuit breakers, which an operator can hold open or closed."""

from __future__ import annotations

from dataclasses import asdict

import click

from operations import breakers
from rollcall.commands.person import shell_user
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def breaker() -> None:
    """Look at the breakers, hold them open or closed, or let them go."""


@breaker.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
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
