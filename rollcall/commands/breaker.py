"""`rollcall breaker`: the circuit breakers, which an operator can hold open or closed."""

from __future__ import annotations

import getpass
from dataclasses import asdict

import click

from domain.errors import InvalidInputError
from resilience.breaker import CircuitBreaker
from rollcall.output import json_option, show
from rollcall.process import open_system
from rollcall.wiring import System


@click.group()
def breaker() -> None:
    """Look at the breakers, hold them open or closed, or let them go."""


@breaker.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the breakers."""
    with open_system() as system:
        rows = [asdict(found.snapshot()) for found in system.services.breakers.values()]
    show(rows, as_json=as_json)


@breaker.command("open")
@click.argument("name")
def open_(name: str) -> None:
    """Hold the breaker NAME open: no request is made until it is reset."""
    with open_system() as system:
        _named(system, name).force_open(getpass.getuser())
    click.echo(f"{name} is held open")


@breaker.command()
@click.argument("name")
def close(name: str) -> None:
    """Hold the breaker NAME closed: every request is made, whatever fails."""
    with open_system() as system:
        _named(system, name).force_closed(getpass.getuser())
    click.echo(f"{name} is held closed")


@breaker.command()
@click.argument("name")
def reset(name: str) -> None:
    """Close the breaker NAME, and let it decide by itself again."""
    with open_system() as system:
        _named(system, name).reset(getpass.getuser())
    click.echo(f"{name} is closed and decides by itself")


def _named(system: System, name: str) -> CircuitBreaker:
    breakers = system.services.breakers
    if name not in breakers:
        raise InvalidInputError({"name": f"must be one of {', '.join(breakers)}"})
    return breakers[name]
