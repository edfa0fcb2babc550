"""The `rollcall` command. Each subcommand lives in `rollcall/commands` and is imported when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from domain.errors import PermanentError, RollcallError
from rollcall.supervisor import EX_CONFIG

EX_TEMPFAIL = 75  # sysexits.h: it may work later

_COMMANDS = {
    "up": "roles",
    "web": "roles",
    "worker": "roles",
    "scheduler": "roles",
    "jobs": "roles",
    "valkey": "roles",
    "init": "init",
    "doctor": "doctor",
    "backup": "backup",
    "restore": "backup",
    "completion": "completion",
    "status": "status",
    "timeline": "timeline",
    "watch": "watch",
    "section": "section",
    "cron": "cron",
    "queue": "queue",
    "breaker": "breaker",
    "lock": "lock",
    "mail": "mail",
    "source": "source",
    "job": "job",
    "credit": "credit",
    "audit": "audit",
    "systemd": "systemd",
}


class _Lazy(click.Group):
    """Finds a subcommand by its name, so that one command does not pay for the others."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"rollcall.commands.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rollcall", prog_name="rollcall")
def rollcall() -> None:
    """Watch university class sections and mail students the moment a seat opens."""


def main() -> None:
    """Run the command line; what a person must correct is said in one line each.

    Exit codes: 78 for what only a person can correct, 75 for what may pass.
    """
    try:
        rollcall(prog_name="rollcall")
    except RollcallError as error:
        for line in _lines(error):
            click.echo(f"rollcall: {line}", err=True)
        sys.exit(EX_CONFIG if isinstance(error, PermanentError) else EX_TEMPFAIL)


def _lines(error: RollcallError) -> list[str]:
    problems: dict[str, str] = getattr(error, "problems", {})
    return [f"{name} {problem}" for name, problem in problems.items()] or [str(error)]
