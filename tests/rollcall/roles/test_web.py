from __future__ import annotations

import socket
import threading
from pathlib import Path

import httpx
import redis
import uvicorn

from ingress.app import create_app
from rollcall.roles.web import _Server
from tests.ingress.console.visitor import BROWSER, sign_in
from tests.ingress.site import Reports, web_context
from tests.support.harness import harness, sqlite_url

GRACE_SECONDS = 60


def test_an_open_page_does_not_keep_the_server_from_stopping(
    tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    with harness(sqlite_url(tmp_path), redis_client, prefix) as found, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = create_app(web_context(found, Reports()))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=GRACE_SECONDS)
        stopped = threading.Event()
        server = _Server(config, stopped, app.state.live)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            _read_until_it_ends(url, stopped)
        finally:
            stopped.set()
            thread.join(GRACE_SECONDS / 2)
        assert not thread.is_alive()


def _read_until_it_ends(url: str, stopped: threading.Event) -> None:
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(base_url=url, headers=BROWSER, timeout=20, transport=transport) as client:
        sign_in(client)
        with client.stream("GET", "/console/events?show=verdict") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data: ")
            stopped.set()
            assert [line for line in lines if line] == []
