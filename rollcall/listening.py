"""The socket that the web role listens on."""

from __future__ import annotations

import os
import socket

from domain.errors import ConfigurationError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises: ConfigurationError when the port is in use or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError({"PORT": f"{host}:{port} cannot be listened on ({reason})"}) from error
    # Accepted sockets inherit it; without it every answer on a kept connection waits 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
