from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.ingress.console.visitor import visitor
from tests.ingress.site import Site


@pytest.fixture
def guest(site: Site) -> Iterator[httpx.Client]:
    """Somebody who has signed in to the console of `site`."""
    with visitor(site) as found:
        yield found
