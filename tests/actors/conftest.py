from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.house import House, house, sqlite_url


@pytest.fixture
def rollcall(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[House]:
    with house(sqlite_url(tmp_path), redis_client, prefix) as found:
        yield found
