"""The options that the commands on dead letters share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import click

from actors import QUEUES
from resilience.selection import Selection
from rollcall.output import json_option

Command = Callable[..., None]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A whole number with its unit: `90s`, `30m`, `12h`, `7d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The duration that `value` writes."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd])", value)
        if found is None:
            self.fail(f"{value!r} is no duration such as 90s, 30m, 12h or 7d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def selecting(command: Command) -> Command:
    """The filters, which together become the argument `wanted`."""

    @click.option("--queue", type=click.Choice(QUEUES), help="In this queue.")
    @click.option("--actor", help="For this actor, such as mail.deliver.")
    @click.option("--cause", help="Whose cause contains this.")
    @click.option("--older-than", type=Duration(), help="Dead for longer: 90s, 30m, 12h, 7d.")
    @wraps(command)
    def with_selection(*, message_ids: tuple[str, ...] = (), **given: Any) -> None:
        filters = {name: given.pop(name) for name in ("queue", "actor", "cause", "older_than")}
        command(wanted=Selection(**filters, message_ids=message_ids), **given)

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
