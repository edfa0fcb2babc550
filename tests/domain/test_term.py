from __future__ import annotations

from datetime import timedelta

import pytest

from domain.catalog import CatalogTerm
from domain.term import OVER_AFTER, Presence, next_terms, unreliable_terms
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


LISTED = [
    CatalogTerm("202740", "Summer 2027"),
    CatalogTerm("202725", "Spring 2027 Extension"),
    CatalogTerm("202720", "Spring Semester 2027"),
    CatalogTerm("202715", "Winter Session 2027"),
    CatalogTerm("202710", "Fall 2026"),
    CatalogTerm("202640", "Summer 2026 (View Only)", is_view_only=True),
    CatalogTerm("202620", "Spring 2026"),
]


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ("202710", ["202720", "202740"]),
        ("202740", []),
        ("202620", ["202710", "202720", "202740"]),
        ("202715", []),
        ("209910", []),
    ],
)
def test_the_next_terms_are_the_ordinary_ones_after_the_one_in_use(current: str, expected: list[str]) -> None:
    for terms in (LISTED, LISTED[::-1]):
        assert [term.code for term in next_terms(terms, current)] == expected


def test_terms_without_a_year_and_a_season_have_no_order() -> None:
    assert next_terms([CatalogTerm("1", "1"), CatalogTerm("2", "Fall"), CatalogTerm("3", "2027")], "1") == []
