"""`rollcall queue dead`: the messages that will not run again by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from domain.errors import InvalidInputError
from operations import dead_letters
from operations.operation import AdminContext
from resilience.dead_letters import DeadLetterFilter
from rollcall.commands.dead_options import bulk_options, selecting
from rollcall.commands.dead_rows import brief_row, full_row
from rollcall.commands.person import shell_user
from rollcall.control import control_room
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def dead() -> None:
    """Look at dead letters, give them another life, or delete them."""


@dead.command("ls")
@selecting
@click.option(
    "--limit", default=5, type=click.IntRange(1, 1000), show_default=True, help="Letters of each cause."
)
@json_option
def list_(wanted: DeadLetterFilter, limit: int, *, as_json: bool) -> None:
    """List dead letters by their cause: the most frequent first, the last letters of each."""
    with _opened() as room:
        groups = dead_letters.groups(room, wanted, limit)
    if as_json:
        told = (
            {"cause": g.cause, "count": g.count, "letters": list(map(full_row, g.letters))} for g in groups
        )
        show(told, as_json=True)
        return
    click.echo(f"{sum(group.count for group in groups)} dead letters, {len(groups)} causes")
    for group in groups:
        click.echo(f"\n{group.count} x {group.cause}")
        show(map(brief_row, group.letters), as_json=False)


@dead.command("show")
@click.argument("message_id")
@json_option
def show_(message_id: str, *, as_json: bool) -> None:
    """Show one dead letter, with its earlier deaths and the end of its traceback."""
    with _opened() as room:
        found = [
            full_row(letter) for letter in room.letters().find(DeadLetterFilter(message_ids=(message_id,)))
        ]
    if not found:
        raise InvalidInputError({"message_id": "there is no such dead letter"})
    if as_json:
        show(found, as_json=True)
        return
    for row in found:
        lines, deaths = row.pop("traceback"), row.pop("deaths")
        show(({"field": name, "value": value} for name, value in row.items()), as_json=False)
        click.echo("\nearlier deaths")
        show(deaths, as_json=False, empty="none")
        click.echo("\n" + ("\n".join(lines) or "no traceback"))


@dead.command()
@bulk_options
def retry(wanted: DeadLetterFilter, rate: float | None, **how: bool) -> None:
    """Put everything that the filters and MESSAGE_IDS mean back to its queue, as new."""
    _bulk("retry", wanted, rate, dead_letters.retry, **how)


@dead.command()
@bulk_options
def purge(wanted: DeadLetterFilter, rate: float | None, **how: bool) -> None:
    """Delete everything that the filters and MESSAGE_IDS mean."""
    _bulk("purge", wanted, rate, dead_letters.purge, **how)


def _bulk(  # noqa: PLR0913 - what is meant, and how
    action: str,
    wanted: DeadLetterFilter,
    rate: float | None,
    act: Callable[..., int],
    *,
    dry_run: bool,
    is_sure: bool,
    as_json: bool,
) -> None:
    """Say how many are meant, ask, act. With JSON everything but the outcome goes to standard error."""
    with _opened() as room:
        matched = dead_letters.count(room, wanted)
        click.echo(f"{matched} dead letters match", err=as_json)
        done = 0
        if matched and not dry_run:
            if not is_sure:
                click.confirm(f"{action} them?", abort=True, err=as_json)
            done = act(room, wanted, shell_user(), per_second=rate)
    if as_json:
        show([{"action": action, "matched": matched, "done": done, "dry_run": dry_run}], as_json=True)
    else:
        click.echo(f"{action}: {done}" + (" (dry run)" if dry_run else ""))


@contextmanager
def _opened() -> Iterator[AdminContext]:
    with open_system() as system:
        yield control_room(system)
