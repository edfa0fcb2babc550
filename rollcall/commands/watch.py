"""`rollcall watch`: who wants to know what."""

from __future__ import annotations

from typing import IO

import click

from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.watch import ALL_KINDS, MAX_SEATS, Kind, normal_address
from rollcall.output import json_option, show
from rollcall.process import open_system
from store.watches import StoredWatch, Wish

_PAGE = 500


@click.group()
def watch() -> None:
    """Add, list, import and stop watches."""


@watch.command()
@click.argument("email")
@click.argument("term")
@click.argument("section")
@click.option("--source", help="The catalog; the configured one by default.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in ALL_KINDS]),
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
        address = normal_address(email)
        problems = key.problems() | ({} if address else {"email": "must be an e-mail address"})
        if key.source not in sources:
            problems["source"] = f"must be one of {', '.join(sources)}"
        if problems or address is None:
            raise InvalidInputError(problems)
        wanted = Wish(address, key, tuple(map(Kind, kinds)) or None, min_seats)
        stored, _ = system.services.store.watches.add(wanted, system.services.clock.now())
    show([_row(stored)], as_json=as_json)


@watch.command("ls")
@click.option("--email")
@click.option("--section")
@json_option
def list_(email: str | None, section: str | None, *, as_json: bool) -> None:
    """List the living watches."""
    rows: list[dict[str, object]] = []
    after: int | None = None
    with open_system() as system:
        while True:
            page, after = system.services.store.watches.page(
                email=email, section=section, after=after, limit=_PAGE
            )
            rows += map(_row, page)
            if after is None:
                break
    show(rows, as_json=as_json, empty="nobody watches anything")


@watch.command()
@click.argument("watch_id", type=int)
def rm(watch_id: int) -> None:
    """Stop the watch WATCH_ID."""
    with open_system() as system:
        if not system.services.store.watches.end(
            watch_id, "stopped by the operator", system.services.clock.now()
        ):
            raise InvalidInputError({"watch_id": f"no living watch has the number {watch_id}"})
    click.echo(f"watch {watch_id} has ended")


@watch.command("import")
@click.argument("file", type=click.File("rb"))
@json_option
def import_(file: IO[bytes], *, as_json: bool) -> None:
    """Import FILE (CSV: email,source,term,section[,kinds,min_seats]; - for standard input)."""
    from ingress.imports import import_csv  # noqa: PLC0415 - the HTTP import, from here

    with open_system() as system:
        result = import_csv(system.services, file.read(), default_source=next(iter(system.services.sources)))
    click.echo(
        f"{result.created} created, {result.existing} existed, {len(result.rejected)} rejected", err=True
    )
    show(
        ({"line": line, "error": error} for line, error in result.rejected),
        as_json=as_json,
        empty="no line was rejected",
    )


def _row(stored: StoredWatch) -> dict[str, object]:
    wanted, section = stored.watch, stored.section
    return {
        "id": stored.id,
        "email": wanted.email,
        "section": str(wanted.key),
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "open_seats": section.open_seats,
        "capacity": section.capacity,
        "observed_at": section.observed_at,
    }
