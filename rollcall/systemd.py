"""systemd's notification protocol, without a library; a no-op without systemd."""

from __future__ import annotations

import os
import socket
from threading import Event

ALIVE_SECONDS = 20.0  # a third of the units' WatchdogSec


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
