"""Rollcall, started in a temporary home for a benchmark."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.api import Rollcall
from bench.programs import START_SECONDS, Programs, free_port, poll

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCRAPER_TOKEN = "replayed-season-scraper-token"  # noqa: S105 - a token of the benchmark


@contextmanager
def temporary_home(*, keep: bool = False) -> Iterator[Path]:
    """A new folder for state and logs; removed at the end unless `keep`."""
    home = Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    try:
        yield home
    finally:
        if keep:
            print(f"kept: {home}", file=sys.stderr)
        else:
            shutil.rmtree(home, ignore_errors=True)


def clean_environment(home: Path) -> dict[str, str]:
    """A minimal environment, without the settings of the calling shell."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}


def start_stand_in(programs: Programs, name: str, ready_path: str, *options: str) -> str:
    """Start the stand-in `tests.standins.<name>` on a free port; its URL once `ready_path` answers."""
    port = free_port()
    command = [sys.executable, "-m", f"tests.standins.{name}", "--port", str(port), *options]
    programs.start(
        name, command, folder=ROOT, environment={**clean_environment(ROOT), "PYTHONPATH": str(ROOT)}
    )
    url = f"http://127.0.0.1:{port}"
    programs.wait_for(name, url + ready_path)
    return url


class Stack:
    """Rollcall on a free port with random secrets, SQLite in `home` and no scheduled checks.

    Shape: `api` is a client of it, over `transport`; `settings` are environment variables on top of the
    benchmark's own.
    """

    def __init__(
        self,
        programs: Programs,
        home: Path,
        settings: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        port, api_token, cron_secret = free_port(), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{port}"
        self.api = Rollcall(self.url, api_token=api_token, cron_secret=cron_secret, transport=transport)
        self._programs = programs
        self._home = home
        self.environment = {
            **clean_environment(home),
            "ROLLCALL_HOME": str(home / "var"),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PUBLIC_URL": self.url,
            "API_TOKEN": api_token,
            "CRON_SECRET": cron_secret,
            "UNSUBSCRIBE_SECRET": secrets.token_urlsafe(32),
            "SCRAPER_SECRET_TOKEN": SCRAPER_TOKEN,
            "SCRAPER_REQUESTS_PER_MINUTE": "0",
            "RENOTIFY_COOLDOWN_SECONDS": "0",
            "SCHEDULER": "off",
            **settings,
        }

    def start(self, role: str, *options: str) -> None:
        """Start `rollcall <role> <options>` as the program `role`, away from any `.env` of a checkout."""
        if role != "up":  # `up` creates its installation
            self.install()
        command: list[str | Path] = [BIN / "rollcall", role, *options]
        self._programs.start(role, command, folder=self._home, environment=self.environment)

    def install(self) -> None:
        """Create the installation if there is none."""
        command: list[str | Path] = [BIN / "rollcall", "init", "--quiet"]
        subprocess.run(command, env=self.environment, cwd=self._home, check=True)

    def wait_until_ready(self, role: str) -> None:
        """Return once the program `role` answers `/readyz` with 200."""
        self._programs.wait_for(role, f"{self.url}/readyz")

    def wait_for_worker(self) -> None:
        """Return once a worker is alive. Raises: ProgramError when a program has ended meanwhile."""
        poll(self._has_worker, seconds=START_SECONDS, pause_seconds=0.1, what="the start of a worker")

    def _has_worker(self) -> bool | None:
        self._programs.require_running()
        return bool(self.api.workers()) or None
