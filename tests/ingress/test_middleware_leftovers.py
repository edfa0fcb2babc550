from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import pytest
from starlette.types import Message, Receive, Scope, Send

from ingress.middleware import LIMIT_BYTES, DrainBodyMiddleware
from tests.ingress.site import Site

BODY_BYTES = 5_500_000
CHUNK = bytes(64 * 1024)


def answer_after_everything(url: str, head: str, pieces: Iterable[bytes]) -> bytes:
    """What a caller reads that first sends all, and wants the connection closed then, as Caddy does."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        for piece in pieces:
            connection.sendall(piece)
        return connection.recv(64)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/watches/import", 401),
        ("/nowhere", 404),
        ("/livez", 405),
        ("/webhooks/resend", 415),
    ],
)
def test_a_refusal_reaches_a_caller_that_sends_a_large_body(site: Site, path: str, status: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: {BODY_BYTES}"

    answer = answer_after_everything(site.url, head, [bytes(BODY_BYTES)])

    assert answer.startswith(f"HTTP/1.1 {status}".encode())


def test_a_refusal_reaches_a_caller_that_does_not_say_how_much_it_sends(site: Site) -> None:
    chunk = f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n"
    pieces = [*[chunk] * (BODY_BYTES // len(CHUNK)), b"0\r\n\r\n"]

    answer = answer_after_everything(
        site.url, "POST /watches/import HTTP/1.1\r\nTransfer-Encoding: chunked", pieces
    )

    assert answer.startswith(b"HTTP/1.1 401")


class Caller:
    """Sends `pieces` to an application that answers without reading, then nothing more for ever."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.heard: list[str] = []
        self.headers: list[tuple[bytes, bytes]] = []

    async def receive(self) -> Message:
        if not self.pieces:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": True}

    async def send(self, message: Message) -> None:
        self.heard.append(message["type"])
        self.headers += message.get("headers", [])

    def ask(self, patience_seconds: float, most_at_once: int = 1) -> list[str]:
        scope = {"type": "http", "headers": [(b"content-length", b"1000000000")]}
        asyncio.run(
            DrainBodyMiddleware(refuse, patience_seconds, most_at_once)(scope, self.receive, self.send)
        )
        return self.heard


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_it_reads_no_more_than_its_limit() -> None:
    caller = Caller(*[CHUNK] * (2 * LIMIT_BYTES // len(CHUNK)))

    assert caller.ask(patience_seconds=60) == ["http.response.start", "http.response.body"]
    assert len(caller.pieces) * len(CHUNK) == LIMIT_BYTES


def test_a_caller_that_stops_sending_is_answered_all_the_same() -> None:
    assert Caller(CHUNK).ask(patience_seconds=0) == ["http.response.start", "http.response.body"]


def test_a_caller_that_has_not_sent_all_is_reported_that_the_connection_ends() -> None:
    caller = Caller(CHUNK)

    caller.ask(patience_seconds=0)

    assert (b"connection", b"close") in caller.headers


def test_no_more_are_waited_for_than_there_are_places() -> None:
    caller = Caller(CHUNK, CHUNK)

    caller.ask(patience_seconds=60, most_at_once=0)

    assert len(caller.pieces) == 2
    assert (b"connection", b"close") in caller.headers
