"""The external scraper service, as far as its wire format goes: real HTTP on loopback, scriptable.

In a test: `with ScraperStandin() as scraper: scraper.set_section("12431", Reply(kind="hang"))`.
As a program: `python -m tests.standins.scraper --port 9000 --latency-ms 200`, steered over HTTP:

    GET    /control/stats              requests, in_flight, max_in_flight; of the last 5,000 requests
                                       connections, started_at_seconds, sections
    POST   /control/reset              forget counts, scripts and latency
    POST   /control/latency            {"ms": 200}
    POST   /control/default            a reply for every section, such as {"kind": "status", "status": 500}
    POST   /control/sections/{number}  a reply for one section
    DELETE /control/sections/{number}  the default again
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

from aiohttp import web

Kind = Literal["ok", "refused", "status", "html", "cut_off", "not_json", "raw", "reset", "hang"]

DATA: dict[str, Any] = {
    "subject": "CSE",
    "catalog_nbr": "110",
    "title": "Principles of Programming",
    "instructor": "Ada Okoye",
    "seats_available": 3,
    "seats_capacity": 40,
    "non_reserved_seats": None,
    "location": "Tempe - COOR 170",
    "meeting_times": "MW 10:30-11:45",
}
TOKEN = "scraper-secret"
_KEPT_REQUESTS = 5_000
_HANG_SECONDS = 3_600.0


@dataclass(frozen=True)
class Reply:
    """What one section's request is answered with, `delay_ms` after the latency of the service.

    Shape: `fields` overrides and `without` drops fields of `data` in "ok"; `text` is the message of "refused"
    and "status", and the whole body of "raw"; `headers` go with any kind.
    """

    kind: Kind = "ok"
    status: int = 200
    fields: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    text: str = "the scrape failed"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_ms: float = 0

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls(**{**document, "without": tuple(document.get("without", ()))})

    @cached_property
    def body(self) -> bytes:
        match self.kind:
            case "refused" | "status":
                return json.dumps({"success": False, "error": self.text}).encode()
            case "html":
                return b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"
            case "not_json":
                return b'{"success":true,"data":{"subject":"CSE",'
            case "raw":
                return self.text.encode("utf-8", "surrogatepass")
        data = {name: value for name, value in (DATA | dict(self.fields)).items() if name not in self.without}
        return json.dumps({"success": True, "data": data}).encode()

    @property
    def content_type(self) -> str:
        return "text/html" if self.kind == "html" else "application/json"


class Seen(NamedTuple):
    """One scrape request; `at_seconds` is on the monotonic clock."""

    at_seconds: float
    path: str
    section: str
    term: str
    peer: object
    headers: Mapping[str, str]


@dataclass
class Stats:
    requests: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=_KEPT_REQUESTS))

    def as_document(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections": len({request.peer for request in self.seen}),
            "started_at_seconds": [request.at_seconds for request in self.seen],
            "sections": [request.section for request in self.seen],
        }


class ScraperStandin:
    """The service in a thread of this process; a context manager. Port 0 takes a free one."""

    def __init__(self, *, token: str = TOKEN, latency_ms: float = 0, port: int = 0) -> None:
        self.token = token
        self.latency_ms = latency_ms
        self.default = Reply()
        self.sections: dict[str, Reply] = {}
        self.stats = Stats()
        self.url = ""
        self._port = port
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(timeout=10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        loop, stop = self._ready.result()
        loop.call_soon_threadsafe(stop.set)
        self._thread.join(timeout=10)

    def set_default(self, reply: Reply) -> None:
        self.default = reply

    def set_section(self, number: str, reply: Reply) -> None:
        self.sections[number] = reply

    def reset(self) -> None:
        self.latency_ms, self.default, self.sections = 0, Reply(), {}
        self.stats = Stats(in_flight=self.stats.in_flight)

    async def serve(self) -> None:
        """Answer until stopped."""
        runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, handler_cancellation=True), shutdown_timeout=0.1
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self._port, backlog=1024)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            stop = asyncio.Event()
            self._ready.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/control/"):
            return await self._control(request)
        if request.method != "POST" or not request.path.endswith("/scrape"):
            return web.json_response({"success": False, "error": "no such path"}, status=404)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"success": False, "error": "unauthorized"}, status=401)
        question = json.loads(await request.read())
        number, term, peer = question["sectionNumber"], question["term"], request.get_extra_info("peername")
        seen = Seen(time.monotonic(), request.path, number, term, peer, request.headers)
        return await self._count(request, seen)

    async def _count(self, request: web.BaseRequest, seen: Seen) -> web.StreamResponse:
        stats = self.stats
        stats.seen.append(seen)
        stats.requests += 1
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            return await self._reply(request, self.sections.get(seen.section, self.default))
        finally:
            stats.in_flight -= 1

    async def _reply(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        delay_seconds = _HANG_SECONDS if reply.kind == "hang" else (self.latency_ms + reply.delay_ms) / 1000
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        if reply.kind == "reset" and request.transport:
            request.transport.abort()
        if reply.kind == "cut_off":
            return await _cut_off(request, reply)
        return web.Response(
            body=reply.body, status=reply.status, headers=reply.headers, content_type=reply.content_type
        )

    async def _control(self, request: web.BaseRequest) -> web.Response:
        number = request.path.removeprefix("/control/sections/")
        document = await request.json() if request.can_read_body else {}
        match request.method, request.path:
            case "GET", "/control/stats":
                return web.json_response(self.stats.as_document())
            case "POST", "/control/reset":
                self.reset()
            case "POST", "/control/latency":
                self.latency_ms = float(document["ms"])
            case "POST", "/control/default":
                self.default = Reply.read(document)
            case "POST", path if path != number:
                self.sections[number] = Reply.read(document)
            case "DELETE", path if path != number:
                self.sections.pop(number, None)
            case _:
                return web.json_response({"error": "no such control"}, status=404)
        return web.json_response(
            {
                "latency_ms": self.latency_ms,
                "default": asdict(self.default),
                "sections": {section: asdict(reply) for section, reply in self.sections.items()},
            }
        )


async def _cut_off(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    whole = replace(reply, kind="ok").body
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(whole)
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    if request.transport:
        request.transport.close()
    return response


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for the scraper service")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--token", default=TOKEN)
    options = parser.parse_args()
    with ScraperStandin(token=options.token, latency_ms=options.latency_ms, port=options.port) as standin:
        sys.stdout.write(f"listening on {standin.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
