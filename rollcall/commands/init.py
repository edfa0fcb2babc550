"""`rollcall init`: a machine made ready, once or again."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import click
from click.core import ParameterSource

from domain.errors import ConfigurationError
from rollcall import dotenv, environment, interview, wiring
from rollcall.commands.options import setting_options
from rollcall.outage import describe_outage
from rollcall.settings import Settings, parse
from store import migrate
from store.database import Database


@click.command()
@click.option("--quiet", is_flag=True, help="Ask nothing, and say nothing when all is well.")
@setting_options(*interview.ASKED)
@click.pass_context
def init(context: click.Context, /, *, quiet: bool, **options: str | None) -> None:
    """Make the state folder, its secrets, the newest database schema, and .env where there is none.

    What goes into .env is asked at a terminal, or given by options. A secret is never an option: it is
    asked, or taken from the environment. Safe to repeat: what is there stays as it is.
    """
    given = {
        name.upper(): value
        for name, value in options.items()
        if value is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    told = _settings_file(given, can_ask=sys.stdin.isatty() and not quiet)
    told += _home()
    if not quiet:
        click.echo("\n".join([*told, "next: rollcall up, and beside it rollcall doctor"]))


def _settings_file(given: dict[str, str], *, can_ask: bool) -> list[str]:
    path = Path(".env").absolute()
    if path.exists():
        return [f"{path} is there, and stays as it is"]
    chosen = given or (interview.ask() if can_ask else {})
    if not chosen:
        return [f"{path} is not needed: every setting has its default"]
    for name, question in interview.secrets_for(chosen).items():
        secret = os.environ.get(name) or (interview.ask_secret(name, question) if can_ask else None)
        chosen |= {name: secret} if secret else {}
    parse({**environment.values(), **chosen})
    try:
        dotenv.write(path, chosen)
    except OSError as error:
        raise ConfigurationError({".env": f"{path} cannot be written ({error.strerror})"}) from error
    return [f"{path} is written, for its owner alone: {', '.join(chosen)}"]


def _home() -> list[str]:
    settings = environment.load()
    there = _files(settings)
    settings = environment.prepare_home(settings)
    made = [path.name for path in _files(settings) if path not in there]
    return [
        f"{settings.home} is ready",
        f"secrets: {', '.join(made)} made" if made else "secrets: nothing to make",
        _schema(settings),
    ]


def _files(settings: Settings) -> list[Path]:
    return sorted((settings.home.absolute() / "secrets").glob("*"))


def _schema(settings: Settings) -> str:
    with describe_outage(settings), closing(Database(wiring.database_url(settings))) as database:
        with database.read() as connection:
            before = migrate.revision(connection)
        migrate.upgrade(database)
    after = max(before or "", migrate.head())
    return f"database: schema {after}, " + (
        "the newest" if before == after else f"from {before or 'nothing'}"
    )
