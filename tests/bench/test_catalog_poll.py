from __future__ import annotations

from bench.catalog_decode import DEFAULT_DATA, PAGE
from bench.catalog_poll import figures
from tests.catalogs.recordings import recorded


def test_a_poll_without_changes_writes_no_section() -> None:
    recorded(PAGE)  # skips where it is absent
    found = figures(DEFAULT_DATA, sections=1_000)
    assert (found["first"]["section_rows"], found["unchanged"]["section_rows"]) == (1_000, 0)
    assert found["unchanged"]["history_rows"] == 0
    assert 0 < found["changed_1_percent"]["section_rows"] <= 20
    assert found["first"]["commits"] > found["unchanged"]["commits"]
