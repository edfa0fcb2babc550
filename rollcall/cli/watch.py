"""`rollcall watch`: watches, and a check of one section now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import IO

import click

from domain.address import checked_address, read_address
from domain.errors import InvalidInputError
from domain.observation import Missing, Observation
from domain.section import SectionKey
from domain.watch import ALL_NOTIFICATION_KINDS, MAX_SEATS, NotificationKind
from operations import section_check, watches
from operations.first_look import UNKNOWN, first_look
from operations.section_check import SectionCheckResult
from rollcall.cli.duration import for_option
from rollcall.cli.output import json_option, show
from rollcall.cli.person import shell_user
from rollcall.process import open_system
from store.watch_import import WatchRequest
from store.watches import StoredWatch


@click.command()
@click.argument("source")
@click.argument("term")
@click.argument("number")
@click.option("--dry-run", is_flag=True, help="Only look: store nothing, and notify nobody.")
@json_option
def check(source: str, term: str, number: str, *, dry_run: bool, as_json: bool) -> None:
    """Ask SOURCE about the section NUMBER of TERM now, through its breaker, and show the answer.

    Without --dry-run what is found is stored, as a run would, and whoever waits for it is notified.
    """
    key = SectionKey(source, term, number)
    with open_system() as system:
        if dry_run:
            told = section_check.preview_check(system.services, key, shell_user())
        else:
            told = section_check.check(system.services, key, shell_user(), origin="cli")
    row = _check_row(told) | {"stored": isinstance(told, Observation) and not dry_run}
    show([row] if as_json else [{"field": k, "value": v} for k, v in row.items()], as_json=as_json)


def _check_row(told: SectionCheckResult) -> dict[str, object]:
    row: dict[str, object] = {"section": str(told.key), "observed_at": told.observed_at}
    if isinstance(told, Missing):
        return row | {"answer": "not found"}
    seen = {"open_seats": told.open_seats, "capacity": told.capacity, "instructor": told.instructor}
    return row | {"answer": "found"} | seen | asdict(told.details)


@click.group()
def watch() -> None:
    """Add, list, import, export, pause and stop watches."""


watch.add_command(check)


@watch.command()
@click.argument("email")
@click.argument("term")
@click.argument("section")
@click.option("--source", help="The catalog; the configured one by default.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in ALL_NOTIFICATION_KINDS]),
    help="Repeatable; all by default.",
)
@click.option(
    "--min-seats", type=click.IntRange(1, MAX_SEATS), help="How many seats make news; 1 by default."
)
@json_option
def add(  # noqa: PLR0913 - a watch has this many wishes
    email: str,
    term: str,
    section: str,
    source: str | None,
    kinds: tuple[str, ...],
    min_seats: int | None,
    *,
    as_json: bool,
) -> None:
    """Watch SECTION of TERM for EMAIL."""
    with open_system() as system:
        sources = list(system.services.sources)
        key = SectionKey(source or sources[0], term, section)
        address, problems = "", key.problems()
        try:
            address = read_address(email)
        except ValueError as error:
            problems["email"] = str(error)
        if key.source not in sources:
            problems["source"] = f"must be one of {', '.join(sources)}"
        if problems:
            raise InvalidInputError(problems)
        wanted = WatchRequest(address, key, tuple(map(NotificationKind, kinds)) or None, min_seats)
        stored, _ = watches.add(system.services, wanted, shell_user())
        row = _row(stored, system.services.clock.now())
        found = first_look(system.services, stored)
    if found is watches.Listing.UNKNOWN:
        row["status"] = found.value
        click.echo(f"warning: {UNKNOWN}", err=True)
    show([row], as_json=as_json)


@watch.command("ls")
@click.option("--email", help="Of this address.")
@click.option("--section", help="Of the sections with this number.")
@json_option
def list_(email: str | None, section: str | None, *, as_json: bool) -> None:
    """List the living watches."""
    address = None if email is None else checked_address("email", email)
    with open_system() as system:
        now = system.services.clock.now()
        rows = [
            _row(stored, now) for stored in watches.active(system.services, email=address, section=section)
        ]
    is_filtered = email is not None or section is not None
    show(rows, as_json=as_json, empty="no watch matches" if is_filtered else "nobody watches anything")


@watch.command()
@click.argument("watch_id", type=int)
def rm(watch_id: int) -> None:
    """Stop the watch WATCH_ID."""
    with open_system() as system:
        watches.end(system.services, watch_id, shell_user())
    click.echo(f"watch {watch_id} has ended")


@watch.command()
@click.argument("watch_id", type=int)
@for_option
def pause(watch_id: int, length: timedelta) -> None:
    """Send nothing for the watch WATCH_ID for a while; what opens meanwhile is not told later."""
    with open_system() as system:
        stored = watches.pause(system.services, watch_id, length, shell_user())
    click.echo(f"watch {watch_id} is paused until {stored.paused_until:%Y-%m-%d %H:%M:%S} UTC")


@watch.command()
@click.argument("watch_id", type=int)
def resume(watch_id: int) -> None:
    """Let the next opening be news to the watch WATCH_ID again."""
    with open_system() as system:
        watches.resume(system.services, watch_id, shell_user())
    click.echo(f"watch {watch_id} goes on")


@watch.command()
@click.argument("file", type=click.File("w", lazy=True), default="-")
def export(file: IO[str]) -> None:
    """Write the living watches to FILE (- for standard output) as CSV that `import` takes."""
    with open_system() as system:
        file.writelines(watches.export(system.services))


@watch.command("import")
@click.argument("file", type=click.File("rb"))
@json_option
def import_(file: IO[bytes], *, as_json: bool) -> None:
    """Import FILE (CSV: email,source,term,section[,kinds,min_seats]; - for standard input).

    As spreadsheets write it: with commas, semicolons or tabs; in UTF-8, UTF-16 or Windows-1252. Where one
    source is configured its column may be missing. Exits with 1 when a line is rejected; the others are in.
    """
    from ingress.imports import import_csv  # noqa: PLC0415 - the HTTP import, from here

    with open_system() as system:
        default_source = next(iter(system.services.sources))
        result = import_csv(system.services, file.read(), default_source=default_source, by=shell_user())
    click.echo(
        f"{result.created} created, {result.existing} existed, {len(result.rejected)} rejected", err=True
    )
    show(
        ({"line": line, "error": error} for line, error in result.rejected),
        as_json=as_json,
        empty="no line was rejected",
    )
    if result.rejected:
        raise SystemExit(1)


def _row(stored: StoredWatch, now: datetime) -> dict[str, object]:
    wanted, section = stored.watch, stored.section
    return {
        "id": stored.id,
        "email": wanted.email,
        "section": str(wanted.key),
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "status": watches.status(stored, now),
        "paused_until": stored.paused_until,
        "open_seats": section.open_seats,
        "capacity": section.capacity,
        "observed_at": watches.seen_at(section),
    }
