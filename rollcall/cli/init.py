"""`rollcall init`: prepares a machine; can be repeated. `rollcall systemd`: prints or writes the units.

At a terminal, `init` asks for the few settings that have no useful default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from importlib.resources import as_file, files
from pathlib import Path

import click
from click.core import ParameterSource

from domain.errors import ConfigurationError
from rollcall import environment, wiring
from rollcall.cli.main import setting_options
from rollcall.exclusive import exclusive
from rollcall.home import open_home, prepare_home
from rollcall.plugins import TRANSPORTS
from rollcall.process import describe_outage
from rollcall.settings import Settings, parse, read
from store import migrate
from store.database import Database


@click.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write them there instead of printing them.",
)
def systemd(output: Path | None) -> None:
    """Print the systemd units, or write them. What a machine needs otherwise goes into drop-ins."""
    for name, text in _units():
        if output is None:
            click.echo(f"# {name}\n{text}")
        else:
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            click.echo(path)


def _units() -> Iterator[tuple[Path, str]]:
    with as_file(files("rollcall") / "units") as folder:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            yield path.relative_to(folder), path.read_text()


ASKED = ("PUBLIC_URL", "SCRAPER_URL", "MAIL_TRANSPORT", "NOTIFICATION_FROM_EMAIL", "OPERATOR_EMAIL")
_PATIENCE_SECONDS = 5 + wiring.HEARTBEAT_TTL_SECONDS  # for the heartbeat of a role that was killed
_KEYS = {plugin.name: plugin.key for plugin in TRANSPORTS}


def ask() -> dict[str, str]:
    """Ask at the terminal; return the answers. An empty answer keeps the default."""
    click.echo("Return keeps the default of a question.")
    given = {"PUBLIC_URL": _asked("PUBLIC_URL", "Address that students reach, https://…")}
    given["SCRAPER_URL"] = _asked("SCRAPER_URL", "Scraper service; without it, a demo campus")
    given["MAIL_TRANSPORT"] = click.prompt(
        "Mail", type=click.Choice(list(_KEYS)), default="preview", err=True
    )
    if given["MAIL_TRANSPORT"] != "preview":
        given["NOTIFICATION_FROM_EMAIL"] = _asked("NOTIFICATION_FROM_EMAIL", "Sender of the mails")
    given["OPERATOR_EMAIL"] = _asked("OPERATOR_EMAIL", "Email address for operator alerts")
    return {name: value for name, value in given.items() if value}


def secrets_for(given: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that `given` requires, each with its purpose."""
    wanted = {"SCRAPER_SECRET_TOKEN": "Its bearer token"} if given.get("SCRAPER_URL") else {}
    key = _KEYS.get(given.get("MAIL_TRANSPORT", ""))
    return wanted | ({key: "Key or address of the mail provider"} if key else {})


def ask_secret(name: str, question: str) -> str:
    """Ask for one secret without echo."""
    return str(click.prompt(f"{question} ({name})", hide_input=True, value_proc=_valid(name), err=True))


def _asked(name: str, question: str) -> str:
    text = f"{question} ({name})"
    return str(click.prompt(text, default="", show_default=False, value_proc=_valid(name), err=True))


def _valid(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        problem = read({name: text})[1].get(name)
        if problem is not None:
            raise click.BadParameter(f"{name} {problem}")
        return text.strip()

    return check


@click.command()
@click.option("--quiet", is_flag=True, help="Ask nothing, and print nothing on success.")
@click.option(
    "--down-to",
    type=click.IntRange(1, 9999),
    metavar="SCHEMA",
    help="Only give the database back to an older release, whose newest schema is SCHEMA.",
)
@setting_options(*ASKED)
@click.pass_context
def init(context: click.Context, /, *, quiet: bool, down_to: int | None, **options: str | None) -> None:
    """Create the state folder, its secrets, the newest database schema, and .env if there is none.

    The content of .env is asked at a terminal, or given by options. A secret is never an option: it is
    asked, or taken from the environment. Safe to repeat: existing files are unchanged.
    """
    if down_to is not None:
        click.echo(_schema(open_home(environment.load()), f"{down_to:04}"))
        return
    given = {
        name.upper(): value
        for name, value in options.items()
        if value is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    done = _settings_file(given, can_ask=sys.stdin.isatty() and not quiet)
    done += _home()
    if not quiet:
        click.echo("\n".join([*done, "next: rollcall up, and beside it rollcall doctor"]))


def _settings_file(given: dict[str, str], *, can_ask: bool) -> list[str]:
    path = Path(".env").absolute()
    if path.exists():
        return [f"{path} is there, and stays as it is"]
    chosen = given or (ask() if can_ask else {})
    if not chosen:
        return [f"{path} is not needed: every setting has its default"]
    for name, question in secrets_for(chosen).items():
        secret = os.environ.get(name) or (ask_secret(name, question) if can_ask else None)
        chosen |= {name: secret} if secret else {}
    parse({**environment.values(), **chosen})
    try:
        environment.write(path, chosen)
    except OSError as error:
        raise ConfigurationError({".env": f"{path} cannot be written ({error.strerror})"}) from error
    return [f"{path} is written, for its owner alone: {', '.join(chosen)}"]


def _home() -> list[str]:
    settings = environment.load()
    _check_catalogs(settings)
    there = _files(settings)
    settings = prepare_home(settings)
    made = [path.name for path in _files(settings) if path not in there]
    return [
        f"{settings.home} is ready",
        f"secrets: {', '.join(made)} made" if made else "secrets: nothing to make",
        _schema(settings, made=made),
    ]


def _check_catalogs(settings: Settings) -> None:
    """Raises: ConfigurationError for a profile that must be corrected, before any role starts."""
    if settings.catalogs:
        from rollcall.catalog_profiles import named_profiles  # noqa: PLC0415 - imports the families in use

        named_profiles(settings)


def _files(settings: Settings) -> list[Path]:
    return sorted((settings.home.absolute() / "secrets").glob("*"))


def _schema(settings: Settings, down_to: str | None = None, made: Sequence[str] = ()) -> str:
    """Migrate to the newest schema, or back; wait for the roles to end where they cannot work with both.

    A change of the installation, `made` secrets included, is recorded; before an upgrade there may be no log.
    """
    from rollcall.cli.backup import record_action  # noqa: PLC0415 - storage is not for every command here

    with describe_outage(settings), closing(Database(wiring.database_url(settings))) as database:
        before = _revision(database)
        wanted = down_to or migrate.head()
        is_alone = before is not None and migrate.generation(before) != migrate.generation(wanted)
        with exclusive(settings, _PATIENCE_SECONDS) if is_alone else nullcontext():
            if down_to is None:
                migrate.upgrade(database)
            else:
                migrate.downgrade(database, down_to)
        after = _revision(database)
        if made or before != after:
            detail = {"from": before, "to": after, "secrets": list(made)}
            record_action(database, "installation.init", "installation", **detail)
    return f"database: schema {after}, " + ("as before" if before == after else f"from {before or 'nothing'}")


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return migrate.revision(connection)
