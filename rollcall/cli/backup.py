"""`rollcall backup` and `rollcall restore`: write the whole state to one file, and restore it.

A restore needs exclusive access to the state: no role may run.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from mimetypes import guess_type
from pathlib import Path
from typing import BinaryIO

import click

from domain.errors import InvalidInputError, PermanentError, UnreachableError
from providers.storage import StorageSettings, files_in
from resilience.claims import Claims
from rollcall import environment
from rollcall.cli.output import progress
from rollcall.exclusive import exclusive
from rollcall.home import kept_secrets, open_home, store_secret
from rollcall.process import describe_outage
from rollcall.settings import Settings
from rollcall.wiring import SystemClock, database_url, redis_client
from store import migrate
from store.audit import Audit, AuditEntry
from store.backup import last_backup
from store.backup import restore as restoring
from store.backup.archive import Manifest, Reader
from store.backup.dump import back_up
from store.database import Database

_AUDITED_SINCE = "0003"
_without_secrets = click.option(
    "--without-secrets", is_flag=True, help="Leave out the generated secrets of the home."
)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_without_secrets
def backup(file: Path, *, without_secrets: bool) -> None:
    """Write the whole state to FILE (a zip, mode 0600), while everything runs.

    It holds the database, the folder of stored files and the generated secrets: with another
    UNSUBSCRIBE_SECRET the links in sent mail would stop working. Protect it like the home. It does not hold
    the environment, .env, a bucket, or files in the folder that Rollcall did not create. It can be restored
    into SQLite and PostgreSQL, whichever it came from.
    """
    settings = environment.load()
    settings = replace(settings, home=settings.home.absolute())
    secrets = {} if without_secrets else kept_secrets(settings.home)
    now = SystemClock().now()
    try:
        manifest = _write(settings, file.absolute(), secrets)
        rows = sum(contents.rows for contents in manifest.tables.values())
        size = file.stat().st_size
        last_backup.record(settings.home, last_backup.LastBackup(now, str(file.absolute()), size, rows))
    except OSError as error:
        reason = f"{error.filename or file} cannot be written ({error.strerror})"
        raise InvalidInputError({"FILE": reason}) from error
    click.echo(f"{file}: {rows} rows of schema {manifest.schema}, {size} bytes, {_listed(secrets)}")


def record_action(database: Database, action: str, subject: str, **detail: object) -> None:
    """Record an action of the shell's user, unless the schema is older than the audit log."""
    with database.read() as connection:
        is_recorded = (migrate.revision(connection) or "") >= _AUDITED_SINCE
    if is_recorded:
        Audit(database).record(AuditEntry(SystemClock().now(), getpass.getuser(), action, subject, detail))


def _write(settings: Settings, file: Path, secrets: Mapping[str, str]) -> Manifest:
    folder = settings.of(StorageSettings).folder(settings.home)
    with (
        describe_outage(settings),
        closing(Database(database_url(settings))) as database,
        progress("backing up") as bar,
    ):
        if database.is_missing:
            raise PermanentError(f"there is no {database.url.database}: run `rollcall init`")
        record_action(database, "backup.write", "database", file=str(file))
        return back_up(
            database,
            file,
            release=version("rollcall"),
            secrets=secrets,
            files=() if folder is None else files_in(folder),
            now=SystemClock().now(),
            progress=bar,
        )


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--replace", "may_replace", is_flag=True, help="Delete what the database holds.")
@_without_secrets
def restore(file: BinaryIO, *, may_replace: bool, without_secrets: bool) -> None:
    """Restore the database, the stored files and the secrets of the home from FILE.

    No role may run. Everything is validated before anything is written; files and secrets come first, the
    database last, as a whole: a failed restore can be repeated. Unfinished jobs start again. An older schema
    is upgraded. Mail whose batch was unfinished keeps its idempotency key, and is not sent twice within the
    provider's 24 hours; mail that was first sent after the backup may be sent again.
    """
    archive = Reader(file)
    settings = open_home(environment.load())
    secrets = {} if without_secrets else archive.secrets()
    with (
        exclusive(settings),
        describe_outage(settings),
        closing(Database(database_url(settings))) as database,
    ):
        restoring.check(database, archive, replace=may_replace)
        _store(settings, archive)
        for name, value in secrets.items():
            store_secret(settings.home, name, value)
        _read(database, archive, file.name, may_replace=may_replace)
        _end_claims(settings)
    rows = sum(contents.rows for contents in archive.manifest.tables.values())
    click.echo(f"{rows} rows as of {archive.manifest.created_at}, {_listed(secrets)}; next: rollcall up")


def _read(database: Database, archive: Reader, name: str, *, may_replace: bool) -> None:
    manifest = archive.manifest
    rows = sum(contents.rows for contents in manifest.tables.values())
    detail = {"file": name, "created_at": manifest.created_at, "schema": manifest.schema}
    entry = AuditEntry(SystemClock().now(), getpass.getuser(), "backup.restore", "database", detail, rows)
    with progress("restoring") as bar:
        restoring.restore(database, archive, replace=may_replace, progress=bar, entry=entry)


def _store(settings: Settings, archive: Reader) -> None:
    storage = settings.of(StorageSettings).open(settings.home)
    for key, content in archive.files():
        kind, _ = guess_type(key, strict=False)  # a folder stores no content type, a bucket detects it
        storage.put(key, content, kind or "application/octet-stream")


def _end_claims(settings: Settings) -> None:
    """Release claims from before the restore, which would delay sections. With Redis down they expire."""
    with redis_client(settings) as client:
        try:
            Claims(client, settings.cron_lock_ttl_seconds).clear()
        except UnreachableError as error:
            click.echo(f"The claims were not released; they expire: {error}", err=True)


def _listed(secrets: Mapping[str, str]) -> str:
    return f"secrets {', '.join(secrets)}" if secrets else "no secrets"
