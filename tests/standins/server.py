"""The base of the small stand-ins: a server on loopback whose requests a method answers, one at a time."""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, Self


class Answer(NamedTuple):
    """A response; one that `stalls` sends only the first half of its body until the server closes.

    One that `drips` sends 50 bytes a second.
    """

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    stalls: bool = False
    drips: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """As usual, except that a client may hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class StandIn(ABC):
    """A server in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @cached_property
    def _server(self) -> _Server:
        return _Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The answer; None hangs up without one."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _write(self, found: Answer, write: Callable[[bytes], object]) -> None:
        """Write the body at the pace of `found`."""
        if found.drips:
            for byte in found.body:
                write(bytes([byte]))
                self._closing.wait(0.02)
        elif found.stalls:
            write(found.body[: len(found.body) // 2])
            self._closing.wait()
        else:
            write(found.body)

    def _handler(standin) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the inner class has a self too
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with standin._lock:
                    found = standin.answer(self.command, self.path, headers, body)
                if found is None:
                    self.close_connection = True
                    return
                self.send_response(found.status)
                self.send_header("Content-Type", found.media_type)
                self.send_header("Content-Length", str(len(found.body)))
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                standin._write(found, self.wfile.write)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
