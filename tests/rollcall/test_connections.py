from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from rollcall.connections import BoundedProtocol
from tests.support.stack import wait_until

MOST = 3
ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Impatient(BoundedProtocol):
    head_seconds = 1.0


class Small(BoundedProtocol):
    most = MOST


async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@contextmanager
def server(protocol: type[BoundedProtocol]) -> Iterator[int]:
    """The port on which connections of `protocol` are served."""
    config = uvicorn.Config(greet, http=protocol, log_config=None, lifespan="off")
    serving = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_until(lambda: serving.started, "the server serves")
            yield int(listening.getsockname()[1])
        finally:
            serving.should_exit = True
            thread.join()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def answer(connection: socket.socket) -> bytes:
    connection.sendall(ASKED)
    heard = b""
    while not heard.endswith(b"hi") and (piece := connection.recv(4096)):
        heard += piece
    return heard


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: "])
def test_a_head_that_takes_too_long_ends_the_connection(first: bytes) -> None:
    with server(Impatient) as port, connected(port) as connection:
        connection.sendall(first)
        assert is_closed(connection)


def test_so_does_the_next_head_on_a_kept_connection() -> None:
    with server(Impatient) as port, connected(port) as connection:
        assert answer(connection).endswith(b"hi")
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert is_closed(connection)


def test_of_too_many_connections_the_one_goes_that_waited_longest_for_a_head() -> None:
    with server(Small) as port, ExitStack() as opened:
        idle = [opened.enter_context(connected(port)) for _ in range(MOST)]
        for _ in range(2):
            with connected(port) as late:
                assert answer(late).startswith(b"HTTP/1.1 200")
        assert is_closed(idle[0])
        assert answer(idle[-1]).startswith(b"HTTP/1.1 200")
