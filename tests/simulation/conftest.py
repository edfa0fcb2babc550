from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.environment import Environment, open_environment
from tests.simulation.simulation import quick


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Environment]:
    with open_environment(tmp_path_factory.mktemp("simulation"), redis_url) as found, quick():
        yield found
