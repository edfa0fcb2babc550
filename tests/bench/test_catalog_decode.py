from __future__ import annotations

from bench.catalog_decode import PAGE, figures
from tests.catalogs.recordings import recorded


def test_a_recorded_page_is_timed_with_the_standard_decoder_beside() -> None:
    found = figures(recorded(PAGE), rounds=1)
    assert list(found) == ["standard decoder", "typed decoder", "observations"]
    assert min(found.values()) > 0
