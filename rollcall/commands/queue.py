"""`rollcall queue`: what waits in the broker."""

from __future__ import annotations

from dataclasses import asdict

import click

from rollcall.commands.dead import dead
from rollcall.control import queue_reader
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def queue() -> None:
    """Look at the queues, and at what died in them."""


queue.add_command(dead)


@queue.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the queues: unfinished messages, the age of the oldest that waits, dead letters."""
    with open_system() as system:
        readings = queue_reader(system)()
    show(({"queue": name, **asdict(reading)} for name, reading in readings.items()), as_json=as_json)
