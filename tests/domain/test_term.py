from __future__ import annotations

from datetime import timedelta

import pytest

from domain.term import OVER_AFTER, Presence, unreliable_terms
from tests.domain.timeline import START


@pytest.mark.parametrize(
    ("terms", "doubted"),
    [
        ({"2257": (50, 50), "2261": (1, 40)}, {"2257"}),
        ({"2257": (50, 50), "2261": (1, 3)}, {"2257", "2261"}),
        ({"2257": (0, 50), "2261": (1, 3)}, set()),
        ({"2257": (50, 50), "2261": (1, 3), "2264": (0, 20)}, {"2257"}),
        ({"2257": (0, 50), "2261": (3, 3)}, {"2261"}),
        ({"2257": (2, 10), "2261": (3, 10)}, {"2261"}),
        ({"2261": (1, 4)}, {"2261"}),
        ({}, set()),
    ],
)
def test_a_term_is_unconfirmed_without_regard_to_terms_that_are_gone(
    terms: dict[str, tuple[int, int]], doubted: set[str]
) -> None:
    assert unreliable_terms({term: Presence(*counts) for term, counts in terms.items()}) == doubted


def test_a_term_is_over_when_all_of_it_has_been_missing_for_a_day() -> None:
    gone = Presence(3, 3, START)
    assert not gone.is_over(START + OVER_AFTER - timedelta(seconds=1))
    assert gone.is_over(START + OVER_AFTER)
    assert not Presence(2, 3, START).is_over(START + OVER_AFTER)
    assert not Presence(3, 3).is_over(START + OVER_AFTER)
