"""The whole package is tested on Valkey and on Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.redis_server import redis_binary, running, valkey_binary


@pytest.fixture(scope="session", params=["valkey", "redis"])
def server_binary(request: pytest.FixtureRequest) -> Path:
    if request.param == "valkey":
        return valkey_binary()
    binary = redis_binary()
    if binary is not None:
        return binary
    if os.environ.get("CI") == "true":
        pytest.fail("redis-server is missing")
    pytest.skip("redis-server is missing")


@pytest.fixture(scope="session")
def redis_url(server_binary: Path) -> Iterator[str]:
    with running(server_binary) as server:
        yield server.url
