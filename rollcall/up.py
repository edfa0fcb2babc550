"""`rollcall up`: all roles in the foreground, with nothing else to install."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from functools import partial
from threading import Event

import setproctitle

from domain.errors import PermanentError
from rollcall import embedded_valkey, environment
from rollcall.home import prepare_home
from rollcall.settings import Settings
from rollcall.sockets import listen
from rollcall.supervisor import Child, Supervisor, preload, role_child

_SERVER_START_SECONDS = 10.0
_POLL_SECONDS = 0.02
_HEAD_START_SECONDS = 2.0  # for the web role: on one core, four concurrent starts take four times as long


def run(overrides: Mapping[str, str]) -> int:
    """Run every role until SIGTERM or Ctrl-C; return the exit code."""
    settings = prepare_home(environment.load(overrides))
    lock = embedded_valkey.claim(settings.home)
    listen(settings.host, settings.port).close()
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # It finds the arguments from the first variable, so the first title is set before that one is replaced.
    setproctitle.setproctitle("rollcall: up")
    os.environ |= overrides
    server = _server(settings)
    try:
        # The lock belongs to the supervisor alone, so that a new one can start as soon as this one has died.
        roles = [role_child(name, before=lock.close) for name in ("web", "worker", "scheduler", "jobs")]
        for role in roles[1:]:
            role.restart_at = time.monotonic() + _HEAD_START_SECONDS
        return _supervise(settings, server, roles, stopped)
    finally:
        lock.close()


def _supervise(settings: Settings, server: Child | None, roles: list[Child], stopped: Event) -> int:
    supervisor = Supervisor(roles if server is None else [server, *roles], stopped)
    try:
        if server is not None:
            server.start()
        preload("rollcall.roles.worker", "rollcall.roles.scheduler")
        if server is not None:
            _await_server(settings, server)
        code = _initialise(stopped)
        if code not in {0, os.EX_TEMPFAIL}:  # a database that is away is waited for by the roles
            return code
        return supervisor.run(lambda: _is_ready(settings), lambda: _announce(settings))
    finally:
        supervisor.stop()


def _initialise(stopped: Event) -> int:
    """Run `rollcall init`, which alone changes the generation of the schema; return its exit code."""
    child = role_child("init", "--quiet")
    child.start()
    while child.exit_code is None:
        if stopped.wait(_POLL_SECONDS):
            Supervisor([child]).stop()
            return 0
    return child.exit_code


def _server(settings: Settings) -> Child | None:
    if settings.redis_url is not None:
        return None
    command = embedded_valkey.command(settings.home)
    return Child("valkey", partial(os.execv, command[0], command), outlives_others=True)


def _await_server(settings: Settings, server: Child) -> None:
    deadline = time.monotonic() + _SERVER_START_SECONDS
    while not embedded_valkey.is_answering(settings.home):
        if server.exit_code is not None or time.monotonic() > deadline:
            raise PermanentError(
                f"the embedded Valkey does not start; its folder is {settings.home / 'valkey'}"
            )
        time.sleep(_POLL_SECONDS)


def _is_ready(settings: Settings) -> bool:
    """Return whether `/readyz` succeeds; without an HTTP library, which would cost the supervisor memory."""
    try:
        with socket.create_connection((settings.host, settings.port), timeout=2) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


def _announce(settings: Settings) -> None:
    lines = [
        "",
        f"  Rollcall is up at {settings.base_url}",
        "",
        f"  console     {settings.base_url}/console",
        "  sign in     rollcall console prints a link for it",
        f"  API token   {_where(settings, 'api_token')}",
        f"  cron secret {_where(settings, 'cron_secret')}",
        f"  mail        {_mail(settings)}",
        f"  catalog     {_catalogs(settings)}",
        "",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - the command's output


def _where(settings: Settings, name: str) -> str:
    path = settings.home / "secrets" / name.upper()
    return f"in {path}" if path.is_file() else f"from {name.upper()}"


def _catalogs(settings: Settings) -> str:
    if settings.is_demo:
        return "demo campus: seats move within a minute"
    return ", ".join((*(plugin.name for plugin in settings.source_plugins), *(settings.catalogs or ())))


def _mail(settings: Settings) -> str:
    return (
        f"preview, in {settings.home / 'outbox'}" if settings.transport == "preview" else settings.transport
    )
