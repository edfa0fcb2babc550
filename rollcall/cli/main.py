"""The `rollcall` command, shell completion, and options that override settings.

Each subcommand is a module in `rollcall/cli`, imported on use. `rollcall.settings` describes each setting
once, for the file and for the help.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from domain.errors import ConfigurationError, RollcallError, TransientError
from rollcall.settings import DECLARED

EX_REFUSED = 1  # not found, or not possible as requested

# Each with its module in `rollcall/cli`, and its line in the help.
_COMMANDS = {
    "up": ("roles", "Run every role in the foreground."),
    "web": ("roles", "Serve the HTTP interface and the console."),
    "worker": ("roles", "Process messages: check sections, deliver mail."),
    "scheduler": ("roles", "Publish timed checks and lost messages."),
    "jobs": ("roles", "Run durable jobs: reports and generation."),
    "valkey": ("roles", "Serve the embedded Valkey, for roles run one by one."),
    "console": ("console", "Print a one-time sign-in link to the console."),
    "init": ("init", "Create the state folder, its secrets and the database."),
    "doctor": ("doctor", "Check the installation, and name the fix of each problem."),
    "backup": ("backup", "Write the whole state to one file, while it runs."),
    "restore": ("backup", "Restore the state from a backup."),
    "completion": ("main", "Print the completion script of a shell."),
    "status": ("status", "Show whether it polls, sends and drains its queues."),
    "timeline": ("timeline", "Follow a watch, section, address or notification."),
    "watch": ("watch", "Add, list, import, export, pause and end watches."),
    "section": ("source", "Find sections, and show their history."),
    "cron": ("cron", "Trigger and list runs."),
    "queue": ("queue", "List the queues; retry and purge dead letters."),
    "breaker": ("source", "List breakers, force them open or closed, reset them."),
    "lock": ("cron", "Show or release the cron lease."),
    "mail": ("mail", "List mail, pause it, retry it, and lift suppressions."),
    "source": ("source", "List, pause and resume catalogs."),
    "catalog": ("catalog", "List, test and search public catalogs, and write profiles."),
    "import": ("imports", "Say how a file of a bank would be read."),
    "term": ("term", "List terms, and end those that are over."),
    "job": ("job", "List, answer, cancel and retry durable jobs."),
    "payment": ("payment", "List payments and their refunds."),
    "credit": ("job", "Grant credits, and show accounts."),
    "audit": ("timeline", "List operator actions."),
    "systemd": ("init", "Print the systemd units, or write them."),
}


class _Lazy(click.Group):
    """Finds a subcommand by name, so that no command, help or shell completion imports the others.

    Groups have the commands of their module, and those of the operations.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"rollcall.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
        if isinstance(command, click.Group):
            from rollcall.cli.operations import add_operations  # noqa: PLC0415 - not for every command

            add_operations(command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = (
            CompletionItem(name, help=line)
            for name, (_, line) in _COMMANDS.items()
            if name.startswith(incomplete)
        )
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rollcall", prog_name="rollcall")
def rollcall() -> None:
    """Watch university class sections and mail students the moment a seat opens."""


def main(*arguments: str) -> None:
    """Run the command line: `arguments`, or those of the process. Each input error is one line.

    Exit codes: 78 when the configuration must be corrected first, 75 when it may work later, else 1.
    """
    try:
        rollcall(arguments or None, prog_name="rollcall")
    except RollcallError as error:
        for line in _lines(error):
            click.echo(f"rollcall: {line}", err=True)
        sys.exit(_exit_code(error))


def _exit_code(error: RollcallError) -> int:
    match error:
        case ConfigurationError():
            return os.EX_CONFIG
        case TransientError():
            return os.EX_TEMPFAIL
        case _:
            return EX_REFUSED


def _lines(error: RollcallError) -> list[str]:
    problems: dict[str, str] = getattr(error, "problems", {})
    return [f"{name} {problem}" for name, problem in problems.items()] or [str(error)]


_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    r"""Print the completion script for SHELL. The same files lie in deploy/completions.

    \b
    bash  rollcall completion bash > ~/.local/share/bash-completion/completions/rollcall
    zsh   rollcall completion zsh > "${fpath[1]}/_rollcall"
    fish  rollcall completion fish > ~/.config/fish/completions/rollcall.fish
    """
    script = _SHELLS[shell](context.find_root().command, {}, "rollcall", "_ROLLCALL_COMPLETE")
    # `source` would also query this machine's bash for its version, and it may be missing.
    click.echo(ShellComplete.source(script))


Command = Callable[..., None]


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Add an option for each of the settings `names`; the help names its environment variable."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            doc = DECLARED[name].description
            text = f"{doc[0].upper()}{doc[1:]}."
            option = f"--{name.lower().replace('_', '-')}"
            command = click.option(option, envvar=name, show_envvar=True, help=text)(command)
        return command

    return decorate


def overrides(options: dict[str, Any]) -> dict[str, str]:
    """Return the settings in `options`, by name."""
    return {name.upper(): value for name, value in options.items() if value is not None}
