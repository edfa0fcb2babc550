"""The options that the commands on dead letters share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from actors import QUEUES
from resilience.dead_letters import DeadLetterFilter
from rollcall.commands.duration import Duration
from rollcall.output import json_option

Command = Callable[..., None]


def selecting(command: Command) -> Command:
    """The filters, which together become the argument `wanted`."""

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
    """The filters, and how to act on everything that they mean."""
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
