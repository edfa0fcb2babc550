"""`rollcall lock`: the cron lease."""

from __future__ import annotations

from dataclasses import asdict

import click

from operations import runs
from rollcall.commands.person import shell_user
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def lock() -> None:
    """Look at the cron lease, or release it."""


@lock.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """Show who holds the cron lease."""
    with open_system() as system:
        holder = system.services.cron_lease.held()
    show([] if holder is None else [asdict(holder)], as_json=as_json, empty="nobody holds the cron lease")


@lock.command()
def release() -> None:
    """Take the cron lease from whoever holds it; a dispatcher that still runs changes nothing any more."""
    with open_system() as system:
        holder = runs.release(system.services, shell_user())
    click.echo("nobody held the cron lease" if holder is None else f"released; it was held by {holder.token}")
