from __future__ import annotations

import pytest

from tests.store.catalogs.catalog import PolledCatalog
from tests.store.harness import StoreHarness


@pytest.fixture
def catalog(store: StoreHarness) -> PolledCatalog:
    return PolledCatalog(store)
