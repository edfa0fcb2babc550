"""What every test may ask for: a real server, a client of it, and keys of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from hypothesis import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.certificate import self_signed
from tests.support.redis_server import running, valkey_binary

# A test never fails for being slow: machines are shared, and speed is measured in bench/.
settings.register_profile("rollcall", deadline=None)
settings.load_profile("rollcall")

_LONGEST = "test_report_crash.py"


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests of whole processes wait much of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that in the end no core works alone at it."""
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for 127.0.0.1 that no authority has signed, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with running(valkey_binary()) as server:
        yield server.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def prefix() -> str:
    """Starts every key of one test; nothing is ever flushed."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[redis.Redis]:
    """A client of a server that is not there."""
    with redis.Redis(unix_socket_path=str(tmp_path / "nobody"), retry=Retry(NoBackoff(), 0)) as client:
        yield client


@pytest.fixture
def refusing() -> Iterator[redis.Redis]:
    """A client of a server that answers and takes nothing, as after a failover or on a full disk."""
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", "1")
        yield client
