from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.harness import Harness, harness, sqlite_url


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Harness]:
    with harness(sqlite_url(tmp_path), redis_client, prefix) as found:
        yield found
