from __future__ import annotations

from datetime import timedelta

import pytest

from domain.text import duration


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        (" 2h ", timedelta(hours=2)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_number_and_its_unit_are_a_length_of_time(text: str, wanted: timedelta) -> None:
    assert duration(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "0s", "15", "1.5h", "-1h", "367d", "2w", "\N{ARABIC-INDIC DIGIT ONE}h", "1h30m"]
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        duration(text)
