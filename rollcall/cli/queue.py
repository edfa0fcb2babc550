"""`rollcall queue`: queues and dead letters.

The dead-letter commands share their filter options, and print either every field of a letter or a row of a
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from typing import Any

import click

from actors import QUEUES
from domain.errors import InvalidInputError
from operations import dead_letters
from operations.operation import AdminContext
from resilience.dead_letter_cause import DeadLetter
from resilience.dead_letters import DeadLetterFilter
from rollcall.cli.duration import Duration
from rollcall.cli.output import json_option, show
from rollcall.cli.person import shell_user
from rollcall.process import open_system

Command = Callable[..., None]


def selecting(command: Command) -> Command:
    """Add the filters, which together become the argument `wanted`."""

    @click.option("--queue", type=click.Choice(QUEUES), help="In this queue.")
    @click.option("--actor", help="For this actor, such as mail.deliver.")
    @click.option("--cause", help="Whose cause contains this.")
    @click.option("--older-than", type=Duration(), help="Dead for longer: 90s, 30m, 12h, 7d.")
    @wraps(command)
    def with_selection(*, message_ids: tuple[str, ...] = (), **given: Any) -> None:
        filters = {name: given.pop(name) for name in ("queue", "actor", "cause", "older_than")}
        command(wanted=DeadLetterFilter(**filters, message_ids=message_ids), **given)

    return with_selection


def bulk_options(command: Command) -> Command:
    """Add the filters, and the options of bulk actions."""
    options = (
        json_option,
        click.option("--yes", "is_sure", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Only say how many."),
        click.option("--rate", type=click.FloatRange(0, min_open=True), help="At most so many a second."),
        selecting,
        click.argument("message_ids", nargs=-1),
    )
    for option in options:
        command = option(command)
    return command


def full_row(letter: DeadLetter) -> dict[str, Any]:
    """Return every field of a dead letter."""
    message = letter.message
    return {
        "message_id": letter.message_id,
        "queue": letter.queue,
        "actor": message.actor_name,
        "args": list(message.args),
        "kwargs": message.kwargs,
        "cause": letter.cause,
        "given_up": letter.given_up,
        "failures": letter.failures,
        "retried": letter.retried,
        "enqueued_at": letter.enqueued_at,
        "died_at": letter.died_at,
        "expires_at": letter.expires_at,
        "traceback": letter.traceback,
        "deaths": letter.deaths,
    }


def brief_row(letter: DeadLetter) -> dict[str, Any]:
    """Return the identifying fields of a dead letter; its call as source code."""
    return {
        "died_at": letter.died_at,
        "expires_at": letter.expires_at,
        "enqueued_at": letter.enqueued_at,
        "call": str(letter.message),
        "failures": letter.failures,
        "retried": letter.retried,
        "message_id": letter.message_id,
    }


@click.group()
def dead() -> None:
    """Look at dead letters, give them another life, or delete them."""


@dead.command("ls")
@selecting
@click.option(
    "--limit", default=5, type=click.IntRange(1, 1000), show_default=True, help="Letters of each cause."
)
@json_option
def list_dead(wanted: DeadLetterFilter, limit: int, *, as_json: bool) -> None:
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
    """Show the count, confirm, act. With JSON, only the outcome goes to standard output."""
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
        yield system.admin


@click.group()
def queue() -> None:
    """Look at the queues, and at what died in them."""


queue.add_command(dead)


@queue.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the queues: unfinished messages, the age of the oldest that waits, dead letters."""
    with open_system() as system:
        readings = system.admin.queues()
    show(({"queue": name, **asdict(reading)} for name, reading in readings.items()), as_json=as_json)
