"""`rollcall queue`: queues and dead letters.

Listings print either every field of a dead letter or a row of a table. Retry and purge are operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from domain.errors import InvalidInputError
from operations import dead_letters
from operations.context import AdminContext
from operations.dead_letters import DeadLetterInput
from resilience.dead_letter_cause import DeadLetter
from resilience.dead_letters import DeadLetterFilter
from rollcall.cli.operations import parameters, read
from rollcall.cli.output import json_option, show
from rollcall.process import open_system

_FILTER = parameters(DeadLetterInput, without=("message_ids", "rate"))


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
    """List, retry and purge dead letters."""


@dead.command("ls", params=_FILTER)
@click.option(
    "--limit", default=5, type=click.IntRange(1, 1000), show_default=True, help="How many of each cause."
)
@json_option
def list_dead(limit: int, *, as_json: bool, **filters: str | None) -> None:
    """List dead letters by cause: the most frequent first, with the latest of each."""
    given = read(DeadLetterInput, filters)
    with _opened() as context:
        groups = dead_letters.groups(context, given.filter, limit)
    if as_json:
        rows = (
            {"cause": g.cause, "count": g.count, "letters": list(map(full_row, g.letters))} for g in groups
        )
        show(rows, as_json=True)
        return
    click.echo(f"{sum(group.count for group in groups)} dead letters, {len(groups)} causes")
    for group in groups:
        click.echo(f"\n{group.count} x {group.cause}")
        show(map(brief_row, group.letters), as_json=False)


@dead.command("show")
@click.argument("message_id")
@json_option
def show_(message_id: str, *, as_json: bool) -> None:
    """Show one dead letter with its earlier deaths and the end of its traceback."""
    with _opened() as context:
        found = [
            full_row(letter) for letter in context.letters().find(DeadLetterFilter(message_ids=(message_id,)))
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


@contextmanager
def _opened() -> Iterator[AdminContext]:
    with open_system() as system:
        yield system.admin


@click.group()
def queue() -> None:
    """List the queues and their dead letters."""


queue.add_command(dead)


@queue.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the queues: unfinished messages, age of the oldest waiting one, dead letters."""
    with open_system() as system:
        readings = system.admin.queues()
    show(({"queue": name, **asdict(reading)} for name, reading in readings.items()), as_json=as_json)
