"""Every command has help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rollcall.cli.main import EX_REFUSED, rollcall
from rollcall.settings import DECLARED
from tests.support.commands import run

_LISTINGS = {"ls", "show", "audit", "history", "doctor"}
_HELP = """
import sys
from rollcall.cli.main import main
try:
    main()
finally:
    print({"sqlalchemy", "redis", "dramatiq"} & set(sys.modules))
"""


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
        if isinstance(option, click.Option) and variable in DECLARED:
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


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (("job", "show", "0" * 32), {}, EX_REFUSED),
        (("cron", "show", "0" * 32), {}, EX_REFUSED),
        (("watch", "rm", "7"), {}, EX_REFUSED),
        (("section", "show", "campus", "2261", "99999"), {}, EX_REFUSED),
        (("timeline", "watch", "7"), {}, EX_REFUSED),
        (("credit", "show", "nobody"), {}, EX_REFUSED),
        (("watch", "add", "no address", "2261", "12401"), {}, EX_REFUSED),
        (("watch", "ls"), {"PORT": "none"}, os.EX_CONFIG),
        (("watch", "ls"), {"DATABASE_URL": "postgresql+psycopg://u:p@127.0.0.1:1/none"}, os.EX_TEMPFAIL),
    ],
)
def test_the_exit_code_says_who_must_act(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    assert run(tmp_path / "home", "init", "--quiet").returncode == 0

    done = run(tmp_path / "home", *arguments, **settings)

    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr


@pytest.mark.parametrize("words", ["watch ls", "status", "web", "worker", "scheduler", "jobs", "valkey"])
def test_only_init_and_up_make_an_installation(tmp_path: Path, words: str) -> None:
    elsewhere = tmp_path / "elsewhere"

    done = run(tmp_path / "home", *words.split(), ROLLCALL_HOME=str(elsewhere))

    assert done.returncode == os.EX_CONFIG, done.stderr
    assert f"ROLLCALL_HOME {elsewhere} holds no installation: run `rollcall init`" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not elsewhere.exists()
