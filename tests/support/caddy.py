"""A real Caddy with the project's Caddyfile, on loopback and without HTTPS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.support.stack import free_port, wait_until
from tests.support.tools import require

PROXY_SECRET = "a proxy secret for tests"
CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"


class Caddy:
    """Caddy at `url`; everything that it logs is in `log`."""

    def __init__(self, folder: Path, upstream: str, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "caddy.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ROLLCALL_DOMAIN": self.url,
            "ROLLCALL_UPSTREAM": urlsplit(upstream).netloc,
            "ROLLCALL_PROXY_SECRET": PROXY_SECRET,
            "CADDY_ADMIN": f"unix/{folder / 'admin.sock'}",
            **settings,
        }

    def is_answering(self) -> bool:
        try:
            return httpx.get(f"{self.url}/livez", timeout=5).is_success
        except httpx.TransportError:
            return False


@contextmanager
def caddy(folder: Path, upstream: str, **settings: str) -> Iterator[Caddy]:
    """A running Caddy in front of `upstream`."""
    running = Caddy(folder, upstream, **settings)
    with running.log.open("wb") as log:
        command = [require("caddy", "caddy"), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        process = subprocess.Popen(command, env=running.environment, stdout=log, stderr=log, cwd=folder)
    try:
        wait_until(running.is_answering, f"Caddy answers; {running.log.read_text()[-2000:]}")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)
