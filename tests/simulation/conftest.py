from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.life import quick
from tests.simulation.stage import Stage, stage


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("simulation"), redis_url) as found, quick():
        yield found
