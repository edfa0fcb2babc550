"""A server that sends exactly the bytes it is given, for answers that no regular server sends."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self


class RawServer:
    """One list of answers per connection, each sent after a request; after the last one it closes.

    With a `certificate` and its key in one file it speaks TLS.
    """

    def __init__(self, *connections: bytes | list[bytes], certificate: Path | None = None) -> None:
        self._connections = [each if isinstance(each, list) else [each] for each in connections]
        self._certificate = certificate
        self.requests = 0
        self.url = ""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(5)
        scheme = "https" if self._certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        for answers in self._connections:
            connection, _ = self._server.accept()
            connection.settimeout(5)
            with connection, suppress(OSError):
                self._answer(self._wrap(connection), answers)

    def _wrap(self, connection: socket.socket) -> socket.socket:
        if self._certificate is None:
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        return context.wrap_socket(connection, server_side=True)

    def _answer(self, connection: socket.socket, answers: list[bytes]) -> None:
        with connection:
            for answer in answers:
                if not _request(connection):
                    return
                self.requests += 1
                connection.sendall(answer)


def _request(connection: socket.socket) -> bytes:
    """One JSON request, or its part that came before the other side left."""
    request = b""
    while not request.endswith(b"}") and (more := connection.recv(4096)):
        request += more
    return request
