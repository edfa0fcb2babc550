"""`rollcall up`: everything in the foreground, with nothing else installed."""

from __future__ import annotations

import fcntl
import http.client
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import IO

from domain.errors import InvalidInputError, PermanentError
from rollcall import embedded, environment
from rollcall.listening import listen
from rollcall.settings import Settings
from rollcall.supervisor import Child, Supervisor, role_child

_SERVER_START_SECONDS = 10.0


def run(overrides: Mapping[str, str]) -> int:
    """Run every role until SIGTERM or Ctrl-C; the exit code."""
    settings = environment.prepare_home(environment.load(overrides))
    lock = _only_one(settings.home)
    listen(settings.host, settings.port).close()
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = _server(settings)
    try:
        roles = [
            role_child(name, environment={**os.environ, **overrides})
            for name in ("worker", "scheduler", "web")
        ]
        return _supervise(settings, server, roles, stopped)
    finally:
        lock.close()


def _supervise(settings: Settings, server: Child | None, roles: list[Child], stopped: Event) -> int:
    supervisor = Supervisor(roles if server is None else [server, *roles], stopped)
    try:
        if server is not None:
            server.start()
            _await_server(settings, server)
        return supervisor.run(lambda: _is_ready(settings), lambda: _announce(settings))
    finally:
        supervisor.stop()


def _server(settings: Settings) -> Child | None:
    if settings.redis_url is not None:
        return None
    return Child("valkey", embedded.command(settings.home), os.environ, outlives_others=True)


def _await_server(settings: Settings, server: Child) -> None:
    deadline = time.monotonic() + _SERVER_START_SECONDS
    while not embedded.is_answering(settings.home):
        if server.has_died() or time.monotonic() > deadline:
            raise PermanentError(
                f"the embedded Valkey does not start; its folder is {settings.home / 'valkey'}"
            )
        time.sleep(0.02)


def _only_one(home: Path) -> IO[str]:
    """Hold the home for this process: two supervisors would start two servers on one log."""
    lock = (home / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InvalidInputError({"ROLLCALL_HOME": f"`rollcall up` is running on {home} already"}) from error
    return lock


def _is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _announce(settings: Settings) -> None:
    lines = [
        "",
        f"  Rollcall is up at {settings.base_url}",
        "",
        f"  API token   {_where(settings, 'api_token')}",
        f"  cron secret {_where(settings, 'cron_secret')}",
        f"  mail        {_mail(settings)}",
        f"  catalog     {settings.scraper_url or 'demo campus: seats move within a minute'}",
        "",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - this is the command's answer


def _where(settings: Settings, name: str) -> str:
    path = settings.home / "secrets" / name.upper()
    return f"in {path}" if path.is_file() else f"from {name.upper()}"


def _mail(settings: Settings) -> str:
    return (
        f"preview, in {settings.home / 'outbox'}" if settings.transport == "preview" else settings.transport
    )
