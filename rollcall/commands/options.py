"""Options that stand for settings: one description, in `rollcall.settings`, for the file and the help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from rollcall.settings import Settings

Command = Callable[..., None]
_HELP = {each.metadata["name"]: each.metadata["help"] for each in fields(Settings)}


def setting_options(*names: str) -> Callable[[Command], Command]:
    """An option for each of the settings `names`, with its environment variable in the help."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            text = f"{_HELP[name][0].upper()}{_HELP[name][1:]}."
            option = f"--{name.lower().replace('_', '-')}"
            command = click.option(option, envvar=name, show_envvar=True, help=text)(command)
        return command

    return decorate


def overrides(options: dict[str, Any]) -> dict[str, str]:
    """The settings that `options` give, by their names."""
    return {name.upper(): value for name, value in options.items() if value is not None}
