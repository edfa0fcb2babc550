"""A real Prometheus on the loopback, set up as deploy/prometheus says, but for its ports and its haste."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import free_port, wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rollcall.rules.yml"


def require(tool: str) -> str:
    """The path of `tool`; where it is missing the test is skipped, or fails where nothing may be skipped."""
    found = shutil.which(tool)
    if found is not None:
        return found
    reason = f"no {tool} here (Debian: apt-get install prometheus)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server, and its HTTP API."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer, which must be a success."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def targets(self) -> dict[str, str]:
        """Each job's health."""
        return {target["labels"]["job"]: target["health"] for target in self.ask("targets")["activeTargets"]}

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def prometheus(folder: Path, rollcall_port: int) -> Iterator[Prometheus]:
    """Prometheus, scraping the web process at `rollcall_port` and itself once a second."""
    binary, port = require("prometheus"), free_port()
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    for given, ours in (
        ("127.0.0.1:8000", f"127.0.0.1:{rollcall_port}"),
        ("127.0.0.1:9090", f"127.0.0.1:{port}"),
    ):
        assert given in text
        text = text.replace(given, ours)
    shutil.copy(RULES, folder)
    (folder / "prometheus.yml").write_text(text.replace("interval: 15s", "interval: 1s"))
    command = [binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        found = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(found.is_ready, f"Prometheus; its log is {folder / 'log'}")
        yield found
    finally:
        process.terminate()
        process.wait(20)
