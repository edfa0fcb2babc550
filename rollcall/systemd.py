"""What systemd and its services tell each other, without a library: nothing happens where it is not there."""

from __future__ import annotations

import os
import socket
from threading import Event

from domain.errors import ConfigurationError

ALIVE_SECONDS = 20.0  # a third of the units' WatchdogSec
_FIRST_SOCKET = 3  # sd_listen_fds(3)


def inherited_socket() -> socket.socket | None:
    """The listening socket of our socket unit, which goes on listening while we restart; None without one.

    Raises: ConfigurationError when there are several.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError({"LISTEN_FDS": "must be 1: the web role serves one socket"})
    os.set_inheritable(_FIRST_SOCKET, False)
    return socket.socket(fileno=_FIRST_SOCKET)


def ready() -> None:
    """Tell that the work has begun: who is started after us may start."""
    _tell("READY=1")


def alive() -> None:
    """Tell that we live; who says nothing for `WatchdogSec` is started anew."""
    _tell("WATCHDOG=1")


def wait(stopped: Event) -> None:
    """Return when `stopped` is set; until then tell that we live."""
    ready()
    while not stopped.wait(ALIVE_SECONDS):
        alive()


def _tell(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        notifying.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
