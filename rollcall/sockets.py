"""Listening sockets of the web role, and its limit of file descriptors; needs no HTTP library."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import suppress

from domain.errors import ConfigurationError

DESCRIPTORS = 8_192
_FIRST_SOCKET = 3  # sd_listen_fds(3)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises: ConfigurationError when the port is in use or forbidden."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError({"PORT": f"{host}:{port} cannot be listened on ({reason})"}) from error
    # Accepted sockets inherit it; without it responses on keep-alive connections wait 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


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


def allow_descriptors() -> None:
    """Raise this process' limit of open files, where the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        with suppress(ValueError, OSError):  # a sandbox may forbid it, and has set its own limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
