"""The start of every Rollcall process: settings, home, schema, logs, title, signals.

It reports an unreachable or invalid database in one line instead of a traceback.
"""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import setproctitle
from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from domain.errors import ConfigurationError, InvalidInputError, PermanentError, UnreachableError
from observability import logs
from rollcall import environment
from rollcall.heartbeat import running_heartbeat
from rollcall.home import open_home
from rollcall.redaction import Redactor
from rollcall.settings import Settings
from rollcall.wiring import System, build
from store import migrate
from store.database import Database

_OURS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


@contextmanager
def describe_outage(settings: Settings) -> Iterator[None]:
    """Raises: UnreachableError, without secrets, where the block fails because of the database itself."""
    try:
        yield
    except _OURS:
        raise  # the database answers and rejects our statement: its fix needs the traceback
    except DBAPIError as error:
        reason = Redactor(settings)(str(error.orig).partition("\n")[0])
        message = f"the database cannot be reached: {reason}; see rollcall doctor"
        raise UnreachableError(message) from error


_log = logging.getLogger(__name__)


@contextmanager
def role(name: str, overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """Yield the system of a long-lived role, with its heartbeat running; close it at the end."""
    setproctitle.setproctitle(f"rollcall: {name}")
    logs.configure()
    for line in environment.ignored():
        _log.warning(line)
    with open_system(overrides) as system, running_heartbeat(system.heartbeat, name):
        yield system


@contextmanager
def open_system(overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """Yield the system of the environment and `overrides`, on a database with the newest schema.

    Raises: ConfigurationError without an installation; UnreachableError when the database is unreachable.
    """
    settings = open_home(environment.load(overrides))
    with configuring():
        built = build(settings)
    with describe_outage(settings), closing(built) as system:
        ensure_schema(system.database, system.settings.home)
        yield system


@contextmanager
def configuring() -> Iterator[None]:
    """Build parts from settings. Raises: ConfigurationError for input that a part rejects."""
    try:
        yield
    except InvalidInputError as error:
        raise ConfigurationError(error.problems) from error


def ensure_schema(database: Database, home: Path) -> None:
    """Migrate if needed, in a separate process, whose memory is freed when it ends.

    It is a fork of this process, which has no second thread yet, so that nothing is imported twice.

    Raises: OtherGenerationError for a schema that roles of another release may be working with.
    """
    if migrate.is_current(database):
        return
    with (home / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of roles that start together, one migrates
        if migrate.is_current(database):
            return
        migrate.require_generation(database)
        migration = get_context("fork").Process(target=_migrate, args=(database.url,))
        migration.start()
        migration.join()
    if migration.exitcode != 0:
        raise PermanentError("the database could not be migrated; see above")


def _migrate(url: URL) -> None:
    """Migrate over new connections: a fork must not touch its parent's."""
    database = Database(url)
    migrate.upgrade(database)
    database.close()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Return an event that SIGTERM and SIGINT set."""
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    yield event
