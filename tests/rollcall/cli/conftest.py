"""The command line in this process, over a home and a server of its own: the commands know one namespace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from rollcall.cli.main import rollcall
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import install

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running(valkey_binary()) as server:
        yield server.url


@pytest.fixture(scope="module")
def client(server_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server_url) as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def run(home: Path, server_url: str) -> Command:
    """Runs `rollcall` with some words."""
    environment = {"ROLLCALL_HOME": str(home), "REDIS_URL": server_url}
    return lambda *words: CliRunner().invoke(rollcall, list(words), env=environment)


@pytest.fixture
def rows(run: Command) -> Callable[..., Any]:
    """What a command prints as JSON."""

    def read(*words: str) -> Any:
        found = run(*words, "--json")
        assert found.exit_code == 0, (found.output, found.exception)
        return json.loads(found.stdout)

    return read
