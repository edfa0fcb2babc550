from __future__ import annotations

from pathlib import Path

import pytest

from bench.import_files import WRITERS, measure


@pytest.mark.parametrize("name", WRITERS)
def test_every_row_of_each_format_is_read_with_the_right_sum(name: str, tmp_path: Path) -> None:
    found = measure(name, 3_000, tmp_path)
    assert found.is_right
    assert min(found.preflight, found.read) > 0
