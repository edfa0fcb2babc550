"""Servers that fail as networks, proxies and broken servers do, for every client of an HTTP service."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum, auto
from pathlib import Path

from domain.errors import (
    InsecureConnectionError,
    MalformedResponseError,
    TransientError,
    UnreachableError,
    UpstreamTimeoutError,
)
from tests.standins.server import Answer, StandIn

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_ENDLESS = b" " * 65_536
_DRIP_SECONDS = 0.02


class WireFault(StrEnum):
    """A fault of the connection or of the bytes on it."""

    REFUSED = auto()
    UNTRUSTED_CERTIFICATE = auto()
    NO_ANSWER = auto()
    HANG_UP = auto()
    CUT_OFF = auto()
    SLOW_DRIP = auto()
    HUGE_BODY = auto()
    NOT_HTTP = auto()


EXPECTED: dict[WireFault, type[TransientError]] = {
    WireFault.REFUSED: UnreachableError,
    WireFault.UNTRUSTED_CERTIFICATE: InsecureConnectionError,
    WireFault.NO_ANSWER: UpstreamTimeoutError,
    WireFault.HANG_UP: MalformedResponseError,
    WireFault.CUT_OFF: MalformedResponseError,
    WireFault.SLOW_DRIP: UpstreamTimeoutError,
    WireFault.HUGE_BODY: MalformedResponseError,
    WireFault.NOT_HTTP: MalformedResponseError,
}
"""UnreachableError means that the service has received nothing; after the others it may have."""
IMPATIENT = frozenset({WireFault.NO_ANSWER, WireFault.SLOW_DRIP})
"""Faults that end only with the client's time limit."""


class RefusingServer(StandIn):
    """Answers every request with `status`, and echoes the path and the headers, credentials included."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.status, self.response_headers = status, dict(headers or {})
        self.requests: list[str] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.requests.append(path)
        message = f"refused {path} {dict(headers)}"
        content = {"message": message, "Message": message, "error": {"message": message}}
        return Answer(self.status, json.dumps(content).encode(), headers=self.response_headers)


@contextmanager
def faulty_server(fault: WireFault, certificate: Path) -> Iterator[str]:
    """The URL of a server that has `fault`; `certificate` is self-signed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if fault is WireFault.REFUSED:
            server.close()
            yield f"http://{address}"
            return
        stopped = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, fault, certificate, stopped))
        thread.start()
        try:
            yield f"{'https' if fault is WireFault.UNTRUSTED_CERTIFICATE else 'http'}://{address}"
        finally:
            stopped.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, fault: WireFault, certificate: Path, stopped: threading.Event) -> None:
    with suppress(OSError):  # the server was shut down
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                if fault is WireFault.UNTRUSTED_CERTIFICATE:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(certificate)
                    with context.wrap_socket(connection, True, do_handshake_on_connect=False) as secured:
                        secured.do_handshake()  # fails: the client refuses the certificate
                    continue
                _receive_request(connection)
                _FAULTS[fault](connection, stopped)


def _receive_request(connection: socket.socket) -> None:
    connection.settimeout(5)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0:
        missing -= len(connection.recv(missing))


def _drip(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not stopped.wait(_DRIP_SECONDS):
        connection.sendall(b" ")


def _overflow(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(HEAD + b"\r\n")
    while not stopped.is_set():
        connection.sendall(_ENDLESS)


_FAULTS: dict[WireFault, Callable[[socket.socket, threading.Event], object]] = {
    WireFault.NO_ANSWER: lambda _, stopped: stopped.wait(30),
    WireFault.HANG_UP: lambda _connection, _stopped: None,
    WireFault.CUT_OFF: lambda connection, _: connection.sendall(HEAD + b"Content-Length: 99\r\n\r\n{"),
    WireFault.SLOW_DRIP: _drip,
    WireFault.HUGE_BODY: _overflow,
    WireFault.NOT_HTTP: lambda connection, _: connection.sendall(b"220 mail.example ESMTP\r\n\r\n"),
}
