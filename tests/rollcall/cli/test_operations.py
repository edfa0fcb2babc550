"""The command line, the console and the API offer every operation that they should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ingress.console import operations as console
from operations.context import Surface
from operations.operation import Command, Operation
from operations.registry import OPERATIONS
from rollcall.cli.main import rollcall
from tests.operations.test_registry import CASES

TEMPLATES = Path(console.__file__).parent / "templates"
COMMANDS = [(each, command) for each in OPERATIONS for command in each.cli_commands]


def _found(words: str) -> click.Command:
    command: click.Command = rollcall
    for word in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, words
        command = found
    return command


@pytest.mark.parametrize(("operation", "command"), COMMANDS, ids=lambda each: getattr(each, "words", ""))
def test_the_command_line_offers_an_operation_with_help_and_json(
    operation: Operation[Any, Any], command: Command
) -> None:
    found = _found(command.words)
    assert found.help
    flags = {flag for parameter in found.params for flag in parameter.opts}
    assert "--json" in flags
    assert operation.is_bulk == ({"--yes", "--dry-run"} <= flags)


def test_the_console_has_a_path_and_a_form_for_each_of_its_operations() -> None:
    expected = {f"/do/{each.console_path}" for each in OPERATIONS if Surface.CONSOLE in each.surfaces}
    assert {route.path for route in console.routes} == expected
    pages = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    used = re.findall(r'/console/do/([a-z-]+)"|ui\.act\("([a-z-]+)"', pages)
    assert {f"/do/{form or button}" for form, button in used} == expected


def test_every_operation_has_a_name_and_a_test_of_its_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert set(names) == CASES.keys()


@pytest.mark.parametrize(
    ("words", "flag"),
    [("source pause mail", "--for"), ("source pause mail --for 1h", "--reason"), ("watch pause 1", "--for")],
)
def test_a_required_option_must_be_given(words: str, flag: str) -> None:
    result = CliRunner().invoke(rollcall, words.split())
    assert result.exit_code == 2
    assert f"Missing option '{flag}'" in result.output
