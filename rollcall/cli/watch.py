"""`rollcall watch`: list and export watches. The other commands are operations."""

from __future__ import annotations

from typing import IO

import click

from domain.address import checked_address
from operations import course_watches, watches
from operations.course_watches import course_watch_row
from operations.new_watches import watch_row
from operations.operation import NoInput, execute
from operations.watch_filters import EXPORT
from rollcall.cli.operations import shell_user
from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def watch() -> None:
    """Add, list, import, export, pause and end watches."""


@watch.command("ls")
@click.option("--email", help="Of this address.")
@click.option("--section", help="Of the sections with this number.")
@json_option
def list_(email: str | None, section: str | None, *, as_json: bool) -> None:
    """List the active watches."""
    address = None if email is None else checked_address("email", email)
    with open_system() as system:
        now = system.services.clock.now()
        found = watches.active(system.services, email=address, section=section)
        rows = [watch_row(stored, now) for stored in found]
    is_filtered = email is not None or section is not None
    show(rows, as_json=as_json, empty="No watch matches." if is_filtered else "There are no watches.")


@watch.command()
@click.option("--email", help="Of this address.")
@json_option
def courses(email: str | None, *, as_json: bool) -> None:
    """List the active watches of courses."""
    address = None if email is None else checked_address("email", email)
    with open_system() as system:
        rows = [course_watch_row(stored) for stored in course_watches.active(system.services, email=address)]
    show(rows, as_json=as_json, empty="No course is watched.")


@watch.command()
@click.argument("file", type=click.File("w", lazy=True), default="-")
def export(file: IO[str]) -> None:
    """Write the active watches to FILE (- for standard output) as CSV that `import` accepts."""
    with open_system() as system:
        lines = execute(EXPORT, system.admin, NoInput(), shell_user()).value
        file.writelines(lines)
