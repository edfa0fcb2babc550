"""The roles: what runs in the background."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

_SERVING = {
    "host": "Address to listen on.",
    "port": "Port to listen on.",
    "public_url": "What links in mails start with.",
}


def _settings(**described: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that stand for settings of the same name in capitals."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name, text in reversed(described.items()):
            option = f"--{name.replace('_', '-')}"
            function = click.option(option, name, envvar=name.upper(), show_envvar=True, help=text)(function)
        return function

    return decorate


def _overrides(options: dict[str, Any]) -> dict[str, str]:
    return {name.upper(): value for name, value in options.items() if value is not None}


@click.command()
@_settings(**_SERVING)
def up(**options: str | None) -> None:
    """Run every role in the foreground, with an embedded Valkey unless REDIS_URL is set."""
    from rollcall import up as everything  # noqa: PLC0415 - each role imports its own

    sys.exit(everything.run(_overrides(options)))


@click.command()
@_settings(**_SERVING)
def web(**options: str | None) -> None:
    """Serve the HTTP interface."""
    from rollcall import web as serving  # noqa: PLC0415

    serving.run(_overrides(options))


@click.command()
@click.option("--queues", envvar="WORKER_QUEUES", show_envvar=True, help="Only these, by commas.")
@click.option(
    "--processes",
    default=1,
    type=click.IntRange(1, 64),
    envvar="WORKER_PROCESSES",
    show_envvar=True,
    show_default=True,
)
@click.option(
    "--threads",
    default=4,
    type=click.IntRange(1, 256),
    envvar="WORKER_THREADS",
    show_envvar=True,
    show_default=True,
)
def worker(queues: str | None, processes: int, threads: int) -> None:
    """Carry out messages."""
    names = [name.strip() for name in (queues or "").split(",") if name.strip()]
    if processes > 1:
        from rollcall import crew  # noqa: PLC0415

        sys.exit(crew.run(processes, threads, names))
    from rollcall import worker as working  # noqa: PLC0415

    working.run(names, threads)


@click.command()
def scheduler() -> None:
    """Publish timed checks, and what a lost message left pending."""
    from rollcall import scheduler as scheduling  # noqa: PLC0415

    scheduling.run()


@click.command()
@click.option("--quiet", is_flag=True, help="Say nothing when all is well.")
def init(*, quiet: bool) -> None:
    """Make the state folder, its secrets and the newest database schema. Safe to repeat."""
    from rollcall import environment, wiring  # noqa: PLC0415
    from store import migrate  # noqa: PLC0415
    from store.database import Database  # noqa: PLC0415

    settings = environment.prepare_home(environment.load())
    database = Database(wiring.database_url(settings))
    migrate.upgrade(database)
    database.close()
    if not quiet:
        click.echo(
            f"{settings.home} is ready: secrets in {settings.home / 'secrets'}, schema {migrate.head()}"
        )
