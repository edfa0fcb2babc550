"""Durations as option values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from domain.errors import InvalidInputError
from domain.text import duration


class Duration(click.ParamType[timedelta]):
    """A whole number with its unit, such as 90s. Raises: InvalidInputError that names the option."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, _ctx: click.Context | None) -> timedelta:
        """Return the duration that `value` denotes."""
        if isinstance(value, timedelta):
            return value
        try:
            return duration(value)
        except ValueError as error:
            named = "duration" if param is None else param.opts[0]
            raise InvalidInputError({named: str(error)}) from error


for_option = click.option(
    "--for", "length", required=True, type=Duration(), help="How long: 90s, 15m, 2h or 3d."
)
