"""What every process of Rollcall does first: settings, home, schema, logs, title, signals.

One line in place of a traceback where the database is away, or is none.
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
from rollcall.doctor.case import InspectedSettings
from rollcall.heartbeat import beating
from rollcall.settings import Settings
from rollcall.wiring import System, build
from store import migrate
from store.database import Database

_OURS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


@contextmanager
def describe_outage(settings: Settings) -> Iterator[None]:
    """Raises: UnreachableError, without any secret, where the block fails because of the database itself."""
    try:
        yield
    except _OURS:
        raise  # the database is there, and refuses what we ask: whoever mends that needs the traceback
    except DBAPIError as error:
        reason = InspectedSettings(settings).redact(str(error.orig).partition("\n")[0])
        message = f"the database cannot be reached: {reason}; rollcall doctor tells more"
        raise UnreachableError(message) from error


_log = logging.getLogger(__name__)


@contextmanager
def role(name: str, overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """The system for a long-lived role, with its heart beating; closed at the end."""
    setproctitle.setproctitle(f"rollcall: {name}")
    logs.configure()
    for line in environment.ignored():
        _log.warning(line)
    with open_system(overrides) as system, beating(system.pulse, name):
        yield system


@contextmanager
def open_system(overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """The system that the environment and `overrides` describe, on a database with the newest schema.

    Raises: ConfigurationError where there is no installation, UnreachableError when the database is away.
    """
    settings = environment.open_home(environment.load(overrides))
    with configuring():
        built = build(settings)
    with describe_outage(settings), closing(built) as system:
        ensure_schema(system.database, system.settings.home)
        yield system


@contextmanager
def configuring() -> Iterator[None]:
    """Build parts from settings. Raises: ConfigurationError for input that a part refuses."""
    try:
        yield
    except InvalidInputError as error:
        raise ConfigurationError(error.problems) from error


def ensure_schema(database: Database, home: Path) -> None:
    """Migrate when needed, in a process of its own: what that takes in memory ends with it.

    It is a copy of this one, which has no second thread yet, so that nothing is imported a second time.
    """
    if migrate.is_current(database):
        return
    with (home / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of the roles that start together, one migrates
        if migrate.is_current(database):
            return
        migration = get_context("fork").Process(target=_migrate, args=(database.url,))
        migration.start()
        migration.join()
    if migration.exitcode != 0:
        raise PermanentError("the database could not be migrated; see above")


def _migrate(url: URL) -> None:
    """Over connections of its own: those of the process that it is a copy of are not to be touched."""
    database = Database(url)
    migrate.upgrade(database)
    database.close()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    yield event
