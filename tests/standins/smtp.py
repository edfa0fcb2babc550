"""A stand-in for a mail server: enough SMTP for one sender, scriptable, on loopback.

`replies` overrides the answer to a verb ("MAIL", "RCPT", "DATA", "AUTH", "EHLO", "GREETING", "END" for the
answer after the message, "QUIT"): a line such as "550 5.1.1 no such user", or None to hang up instead.
`endless` holds bytes that are sent again and again instead, with the pause between them in seconds.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

_OFFER = ("8BITMIME", "AUTH PLAIN")


class _HungUpError(Exception):
    pass


class _EndlessError(Exception):
    pass


@dataclass
class Received:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    body: bytes = b""
    login: tuple[str, str] | None = None
    was_encrypted: bool = False


class SmtpStandIn:
    def __init__(self, tls: ssl.SSLContext | None = None, *, implicit_tls: bool = False) -> None:
        self.replies: dict[str, str | None] = {}
        self.endless: dict[str, tuple[bytes, float]] = {}
        self.received: list[Received] = []
        self.tls, self._implicit = tls, implicit_tls

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(started),), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise TimeoutError("the stand-in did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        implicit = self.tls if self._implicit else None
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, ssl=implicit)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        async with server:
            await self._stop.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail = Received(was_encrypted=self._implicit)
        try:
            self._say(writer, "GREETING", "220 standin")
            while line := await reader.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                await self._obey(verb.upper(), rest, mail, reader, writer)
        except _EndlessError as error:
            with suppress(ConnectionError):
                await self._repeat(writer, *error.args)
        except (_HungUpError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _repeat(self, writer: asyncio.StreamWriter, chunk: bytes, pause_seconds: float) -> None:
        while not self._stop.is_set():
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    async def _obey(
        self, verb: str, rest: str, mail: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match verb:
            case "EHLO":
                starttls = ("STARTTLS",) if self.tls and not mail.was_encrypted else ()
                offers = ("standin", *_OFFER, *starttls)
                lines = [f"250{' ' if offer is offers[-1] else '-'}{offer}" for offer in offers]
                self._say(writer, verb, "\r\n".join(lines))
            case "STARTTLS" if self.tls:
                self._say(writer, verb, "220 go ahead")
                await writer.start_tls(self.tls)
                mail.was_encrypted = True
            case "AUTH":
                _, user, password = base64.b64decode(rest.rpartition(" ")[2]).decode().split("\0")
                mail.login = (user, password)
                self._say(writer, verb, "235 2.7.0 welcome")
            case "MAIL":
                mail.sender = rest
                self._say(writer, verb, "250 2.1.0 ok")
            case "RCPT":
                mail.recipients.append(rest)
                self._say(writer, verb, "250 2.1.5 ok")
            case "DATA":
                self._say(writer, verb, "354 go on")
                await self._take(mail, reader, writer)
            case "QUIT":
                self._say(writer, verb, "221 bye")
                raise _HungUpError
            case _:
                self._say(writer, verb, "250 ok")

    async def _take(self, mail: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "DATA" in self.replies:
            return
        body = await reader.readuntil(b"\r\n.\r\n")
        mail.body = body[:-3].replace(b"\r\n..", b"\r\n.")
        if (self.replies.get("END", "250") or "250").startswith("250"):
            self.received.append(mail)
        self._say(writer, "END", "250 2.0.0 queued")

    def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> None:
        if verb in self.endless:
            raise _EndlessError(*self.endless[verb])
        reply = self.replies.get(verb, usual)
        if reply is None:
            raise _HungUpError
        writer.write(reply.encode() + b"\r\n")
