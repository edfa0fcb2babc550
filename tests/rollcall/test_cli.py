"""Every command explains itself, whoever wrote it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from rollcall.cli import rollcall
from rollcall.settings import Settings

_LISTINGS = {"ls", "show", "audit", "history", "doctor"}
_HELP = """
import sys
from rollcall.cli import main
try:
    main()
finally:
    print({"sqlalchemy", "redis", "dramatiq"} & set(sys.modules))
"""
_SETTINGS = {each.metadata["name"] for each in fields(Settings)}


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(rollcall))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_stands_for_a_setting_shows_its_environment_variable(name: str) -> None:
    shown = CliRunner().invoke(rollcall, [*name.split(), "--help"]).output
    for option in COMMANDS[name].params:
        variable = option.opts[0].lstrip("-").upper().replace("-", "_")
        if isinstance(option, click.Option) and variable in _SETTINGS:
            assert option.envvar == variable
            assert variable in shown.replace("\n", " ")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.split()[-1] in _LISTINGS])
def test_every_listing_takes_json(name: str) -> None:
    assert "--json" in {opt for parameter in COMMANDS[name].params for opt in parameter.opts}


def test_the_help_has_a_whole_line_for_every_command_and_pays_for_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HELP, "--help"], capture_output=True, text=True, check=True, timeout=30
    )
    *lines, loaded = done.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == rollcall.list_commands(click.Context(rollcall))
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)
    assert loaded == "set()"
