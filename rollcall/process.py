"""What every process of Rollcall does first: settings, home, schema, logs, title, signals."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import setproctitle

from domain.errors import PermanentError, UnreachableError
from observability import logs
from rollcall import environment
from rollcall.wiring import System, build
from store import migrate
from store.database import Database

BEAT_SECONDS = 5.0
_log = logging.getLogger(__name__)


@contextmanager
def role(name: str, overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """The system for a long-lived role, with its heart beating; closed at the end."""
    setproctitle.setproctitle(f"rollcall: {name}")
    logs.configure()
    with open_system(overrides) as system, beating(system, name):
        yield system


@contextmanager
def open_system(overrides: Mapping[str, str] | None = None) -> Iterator[System]:
    """The system that the environment and `overrides` describe, on a database with the newest schema."""
    system = build(environment.prepare_home(environment.load(overrides)))
    try:
        ensure_schema(system.database, system.settings.home)
        yield system
    finally:
        system.close()


def ensure_schema(database: Database, home: Path) -> None:
    """Migrate when needed, in a process of its own: what that takes in memory ends with it."""
    if migrate.is_current(database):
        return
    with (home / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of the roles that start together, one migrates
        if migrate.is_current(database):
            return
        done = subprocess.run([sys.executable, "-m", "rollcall", "init", "--quiet"], check=False)
    if done.returncode != 0:
        raise PermanentError("the database could not be migrated; see above")


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    yield event


@contextmanager
def beating(system: System, name: str) -> Iterator[None]:
    """Say in Redis that this process is alive, every few seconds, until the end of the block."""
    done = threading.Event()
    instance = f"{socket.gethostname()}:{os.getpid()}"
    thread = threading.Thread(
        target=_beat, args=(system, name, instance, done), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=BEAT_SECONDS)


def _beat(system: System, name: str, instance: str, done: threading.Event) -> None:
    facts = {"host": socket.gethostname(), "pid": str(os.getpid())}
    while True:
        quietly(lambda: system.heartbeats.beat(name, instance, facts), "cannot tell that it is alive")
        if done.wait(BEAT_SECONDS):
            break
    quietly(lambda: system.heartbeats.leave(name, instance), "cannot tell that it leaves")


def quietly(work: Callable[[], object], complaint: str) -> None:
    """Do `work`; that Redis cannot be reached is logged, for it will be tried again."""
    try:
        work()
    except UnreachableError as error:
        _log.warning(complaint, extra={"error": str(error)})
