"""systemd's notification and socket activation protocols, without a library; no-ops without systemd."""

from __future__ import annotations

import os
import socket
from threading import Event

from domain.errors import ConfigurationError

ALIVE_SECONDS = 20.0  # a third of the units' WatchdogSec
_FIRST_SOCKET = 3  # sd_listen_fds(3)


def inherited_socket() -> socket.socket | None:
    """Return the socket of our socket unit, which listens across restarts; None without one.

    Raises: ConfigurationError when there are several.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError({"LISTEN_FDS": "must be 1: the web role serves one socket"})
    os.set_inheritable(_FIRST_SOCKET, False)
    return socket.socket(fileno=_FIRST_SOCKET)


def ready() -> None:
    """Notify systemd that the service is ready: units ordered after it may start."""
    _tell("READY=1")


def alive() -> None:
    """Send the watchdog notification; without one within `WatchdogSec` the service is restarted."""
    _tell("WATCHDOG=1")


def wait(stopped: Event) -> None:
    """Return when `stopped` is set; send watchdog notifications until then."""
    ready()
    while not stopped.wait(ALIVE_SECONDS):
        alive()


def _tell(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        notifying.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
