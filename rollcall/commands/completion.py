"""`rollcall completion`: what a shell needs to complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

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
    # `source` would also ask the bash of this machine for its version, and there may be none.
    click.echo(ShellComplete.source(script))
