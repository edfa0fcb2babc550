"""A real server on loopback around a test harness, and its HTTP clients."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import uvicorn
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ingress.app import create_app
from ingress.context import WebContext
from observability.health import HealthReport
from rollcall.roles import web
from store.schema import metadata
from tests.support.harness import INSTALLATION, WEBHOOK_KEY, Harness

CRON_SECRET, API_TOKEN = INSTALLATION["CRON_SECRET"], INSTALLATION["API_TOKEN"]
PUBLIC_URL, PROXY_SECRET = INSTALLATION["PUBLIC_URL"], INSTALLATION["PROXY_SECRET"]
STRIPE_SECRET, WEBHOOK_SECRET = INSTALLATION["STRIPE_WEBHOOK_SECRET"], INSTALLATION["RESEND_WEBHOOK_SECRET"]
CRON = {"Authorization": f"Bearer {CRON_SECRET}"}
API = {"Authorization": f"Bearer {API_TOKEN}"}
CHECKS: dict[str, object] = {"database": "ok"}


@dataclass
class Reports:
    """What the site's probes say; tests change it."""

    health: HealthReport = field(default_factory=lambda: HealthReport("healthy", CHECKS))
    ready: HealthReport = field(default_factory=lambda: HealthReport("healthy", CHECKS))


@dataclass
class Site:
    rollcall: Harness
    client: httpx.Client
    reports: Reports
    url: str

    def count(self, table: str) -> int:
        with self.rollcall.database.read() as connection:
            return int(
                connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one()
            )

    def add(self, **fields: Any) -> httpx.Response:
        wanted = {"email": "ada@example.edu", "term": "2261", "section": "12431"} | fields
        return self.client.post("/watches", json=wanted, headers=API)

    def upload(self, text: str | bytes, **headers: str) -> httpx.Response:
        content = text if isinstance(text, bytes) else text.encode()
        return self.client.post(
            "/watches/import", content=content, headers=API | {"Content-Type": "text/csv"} | headers
        )

    def event(self, event_id: str, event: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        at = str(int(self.rollcall.clock.now().timestamp()))
        mac = hmac.new(WEBHOOK_KEY, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
        signed = {
            "svix-id": event_id,
            "svix-timestamp": at,
            "svix-signature": "v1," + base64.b64encode(mac).decode(),
            "Content-Type": "application/json",
        }
        return self.client.post("/webhooks/resend", content=body, headers=signed | headers)


def fields_of(response: httpx.Response) -> set[str]:
    """The fields that a problem document names; it must be one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert {"type", "title", "detail"} <= problem.keys()
    return {error["field"] for error in problem.get("errors", [])}


def web_context(rollcall: Harness, reports: Reports) -> WebContext:
    """The context of production, with a sign-in of the test's own and probes that say what it wants."""
    return replace(
        web.web_context(rollcall.system, web.health(rollcall.system)),
        sign_ins=rollcall.sign_ins,
        invitations=rollcall.invitations,
        health=lambda: reports.health,
        latest_health=lambda: reports.health,
        ready=lambda: reports.ready,
        metrics=lambda: (b"rollcall_up 1\n", "text/plain; version=0.0.4; charset=utf-8"),
    )


class Stage:
    """An ASGI application that hands every request to `app`, which each test sets for itself."""

    def __init__(self) -> None:
        self.app: Starlette | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def stage() -> Iterator[Stage]:
    """A real server, up for the length of the block."""
    found = Stage()
    config = uvicorn.Config(
        found, log_config=None, access_log=False, lifespan="off", server_header=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    # asyncio does this only for sockets that name TCP as their protocol, which `create_server` leaves open.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        _wait_until_started(server)
        yield found
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def site(stage: Stage, rollcall: Harness, **changes: Any) -> Iterator[Site]:
    """The application over `rollcall` on `stage`; `changes` are of its `WebContext`."""
    reports = Reports()
    if "services" in changes:
        changes = {"admin": replace(rollcall.admin, services=changes["services"])} | changes
    stage.app = create_app(replace(web_context(rollcall, reports), **changes))
    with httpx.Client(base_url=stage.url, timeout=20) as client:
        yield Site(rollcall, client, reports, stage.url)


def _wait_until_started(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.002)
